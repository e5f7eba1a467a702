import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** The version of this package. */
export const version: string = manifest.version;

/** Its licence, as SPDX calls it. */
export const license: string = manifest.license;
