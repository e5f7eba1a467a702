import { existsSync } from 'node:fs';
import type { TestFn } from 'ava';
import { type Browser, chromium } from 'playwright-core';

/** The path of Debian's Chromium. */
const CHROMIUM = '/usr/bin/chromium';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts the local Chromium with a temporary profile, removed on close. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/**
 * `test` if there is a Chromium, otherwise a visibly skipped test, or an error if `REQUIRE_BROWSER` is set.
 */
export function browserTest<Context>(test: TestFn<Context>): TestFn<Context> {
  if (existsSync(CHROMIUM)) return test;
  if (process.env.REQUIRE_BROWSER) throw new Error(`REQUIRE_BROWSER is set, and there is no ${CHROMIUM}.`);
  return test.skip as unknown as TestFn<Context>;
}
