import { join } from 'node:path';
import type { NextConfig } from 'next';

export default {
  // As far up as the client is, which a copy of this app takes from the registry: leave these lines out there.
  turbopack: { root: join(import.meta.dirname, '..', '..') },
  outputFileTracingRoot: join(import.meta.dirname, '..', '..'),
  // WebAssembly and a native addon, which find their files beside themselves.
  serverExternalPackages: ['@electric-sql/pglite', 'fs-native-extensions'],
  poweredByHeader: false,
  // MCP clients that run in a browser get their tokens from pages of others. No cookie is sent along.
  headers: async () =>
    ['/.well-known/:path*', '/api/auth/oauth2/:path(register|token|revoke)'].map((source) => ({
      source,
      headers: [
        { key: 'Access-Control-Allow-Origin', value: '*' },
        { key: 'Access-Control-Allow-Methods', value: 'GET, POST' },
        { key: 'Access-Control-Allow-Headers', value: 'Authorization, Content-Type, MCP-Protocol-Version' },
      ],
    })),
} satisfies NextConfig;
