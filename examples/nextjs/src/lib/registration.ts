import { APIError, createAuthMiddleware } from 'better-auth/api';

/** The longest name of an app, in characters. */
const MAX_NAME_LENGTH = 100;

/** Takes what an app says of itself when it registers, as far as it is of use here. */
export const acceptRegistration = createAuthMiddleware(async ({ path, body }) => {
  if (path !== '/oauth2/register' || typeof body !== 'object' || body === null) return;
  if (body.backchannel_logout_uri !== undefined) {
    // This server sends no requests to addresses that strangers give.
    throw new APIError('BAD_REQUEST', {
      error: 'invalid_client_metadata',
      error_description: 'backchannel_logout_uri is not supported',
    });
  }
  return {
    context: {
      body: {
        ...body,
        // An app on somebody's computer cannot keep a secret, so nobody gets one: PKCE protects all of them.
        token_endpoint_auth_method: 'none',
        // Most MCP clients wait for the answer on their own computer, and do not say so.
        application_type: body.application_type ?? 'native',
        ...(typeof body.client_name === 'string' && {
          client_name: [...body.client_name].slice(0, MAX_NAME_LENGTH).join(''),
        }),
      },
    },
  };
});
