import { join } from 'node:path';
import type { NextConfig } from 'next';

export default {
  // As far up as the client is, which a copy of this app takes from the registry: leave these lines out there.
  turbopack: { root: join(import.meta.dirname, '..', '..') },
  outputFileTracingRoot: join(import.meta.dirname, '..', '..'),
  // WebAssembly and a native addon, which find their files beside themselves.
  serverExternalPackages: ['@electric-sql/pglite', 'fs-native-extensions'],
  poweredByHeader: false,
} satisfies NextConfig;
