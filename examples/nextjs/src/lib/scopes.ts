/** What an app may be allowed, in the words that its user reads. */
export const SCOPES: Readonly<Record<string, string>> = {
  'todo:read': 'See your tasks',
  'todo:write': 'Add, change, complete and delete your tasks; all of it is in your history, and can be undone',
  // With it, an app gets tokens for as long as it uses them.
  offline_access: 'Stay connected until you disconnect it',
};

/** Minutes for which an app that was disconnected can still use the token that it has. */
export const ACCESS_TOKEN_MINUTES = 15;
