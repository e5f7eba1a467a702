import { existsSync } from 'node:fs';
import type { TestFn } from 'ava';
import { type Browser, chromium } from 'playwright-core';

/** Where Debian has its Chromium. */
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

/** Starts the Chromium of this machine, with a profile of its own that is gone when it is closed. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/**
 * `test` where there is a Chromium, a visibly skipped test otherwise, and an error where `REQUIRE_BROWSER` says that
 * skipping will not do.
 */
export function browserTest<Context>(test: TestFn<Context>): TestFn<Context> {
  if (existsSync(CHROMIUM)) return test;
  if (process.env.REQUIRE_BROWSER) throw new Error(`REQUIRE_BROWSER is set, and there is no ${CHROMIUM}.`);
  return test.skip as unknown as TestFn<Context>;
}
