import { oauthProviderClient } from '@better-auth/oauth-provider/client';
import { createAuthClient } from 'better-auth/react';

/** Better Auth in the browser: signing up, in and out, and consent. It passes on the request of an app that waits for that. */
export const authClient = createAuthClient({ plugins: [oauthProviderClient()] });

/** Whether the answer leads the browser elsewhere, which Better Auth then sees to. */
export function isRedirect(data: object | null): boolean {
  return data !== null && 'redirect' in data && data.redirect === true;
}

/** What a person is told. */
export function explainRefusal(refusal: { readonly message?: string | undefined; readonly error?: string }): string {
  if (refusal.error === 'invalid_signature') return 'The app has waited for too long. Please start again from there.';
  return refusal.message ?? 'That did not work. Please try again.';
}
