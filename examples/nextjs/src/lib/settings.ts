/** What the environment says, read when it is needed: one build runs anywhere. */
export const settings = {
  /** Signs the session cookies and encrypts the keys of the tokens. */
  get secret() {
    const secret = required('BETTER_AUTH_SECRET');
    if (secret.length < 32) throw new Error('BETTER_AUTH_SECRET must have at least 32 characters.');
    return secret;
  },
  /** Where browsers see this app: issuer and audience of its tokens. */
  get appUrl() {
    return required('BETTER_AUTH_URL');
  },
  /** Where browsers find the API. */
  get backendUrl() {
    return (process.env.BACKEND_URL || 'http://localhost:8000').replace(/\/+$/, '');
  },
  /** Where MCP clients find the API's tools for agents: what their tokens are for, written as the API writes it. */
  get mcpUrl() {
    return new URL(process.env.MCP_URL || `${settings.backendUrl}/mcp`).href;
  },
  /** The PostgreSQL server to use; the embedded one when left out. */
  get databaseUrl() {
    return process.env.DATABASE_URL || undefined;
  },
  /** Where the embedded database lies. */
  get dataDirectory() {
    return process.env.DATA_DIR || '.data';
  },
};

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set. Copy .env.example to .env.local, and fill it in.`);
  return value;
}
