import { APIError, createAuthMiddleware } from 'better-auth/api';
import { SCOPES } from './scopes';

/** The longest name of an app, in characters. */
const MAX_NAME_LENGTH = 100;

/** What each app gets, whatever it asks for: what it may do is what a user allows later. */
const TERMS = {
  // An app on somebody's computer cannot keep a secret, so none gets one: PKCE protects all of them.
  token_endpoint_auth_method: 'none',
  // Most MCP clients wait for the answer on their own computer, and do not say so.
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  scope: Object.keys(SCOPES).join(' '),
};

/** Takes what an app says of itself when it registers, as far as it is of use here. */
export const acceptRegistration = createAuthMiddleware(async ({ path, body }) => {
  if (path !== '/oauth2/register' || typeof body !== 'object' || body === null) return;
  if ('backchannel_logout_uri' in body) {
    // This server sends no requests to addresses that strangers give.
    const message = 'backchannel_logout_uri is not supported';
    throw new APIError('BAD_REQUEST', { error: 'invalid_client_metadata', error_description: message, message });
  }
  const name = 'client_name' in body ? body.client_name : undefined;
  return {
    context: {
      body: {
        ...body,
        ...TERMS,
        ...(typeof name === 'string' && { client_name: [...name].slice(0, MAX_NAME_LENGTH).join('') }),
      },
    },
  };
});
