import { createAuthClient } from 'better-auth/react';

/** Better Auth in the browser: signing up, in and out. */
export const authClient = createAuthClient();
