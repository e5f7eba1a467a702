import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  Client,
  type OAuthClientInformationMixed,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type OAuthTokens,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import test, { type ExecutionContext } from 'ava';
import axe from 'axe-core';
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page, Route } from 'playwright-core';
import { connect } from '../packages/http/test/agents.ts';
import { documentedFetch } from '../packages/http/test/conformance.ts';
import { use } from '../packages/mcp/test/agent.ts';
import {
  buildApp,
  type DemoSettings,
  installApp,
  isBuilt,
  isInstalled,
  type Running,
  startApi,
  startApp,
} from '../scripts/demo.ts';
import { browserTest, openBrowser } from './browser.ts';
import { startClient } from './oauth.ts';
import { freePort, postgresTest, startPostgres } from './postgres.ts';

/** The tests share the two servers, and run one after the other. */
const serial = test.serial as unknown as typeof test;
const inBrowser = browserTest(serial);
const onServer = await postgresTest(serial);

const ROOT = join(import.meta.dirname, '..');
const PASSWORD = 'correct horse battery staple';

let settings: DemoSettings;
let app: Running;
let api: Running;
let browser: Browser;
/** The browser state of Ada, who has signed up. */
let ada: Exclude<BrowserContextOptions['storageState'], string | undefined>;
const consoleErrors: string[] = [];

const contexts: BrowserContext[] = [];

/** A user may have so many streams, and a browser has two of them. */
test.afterEach.always(async () => {
  await Promise.all(contexts.splice(0).map((context) => context.close()));
});

/** Installs and builds the app, if needed. */
async function prepare(t: ExecutionContext): Promise<void> {
  t.timeout(600_000, 'installing and building the app may take its time');
  if (!(await isInstalled())) await installApp();
  if (!(await isBuilt())) await buildApp();
}

test.after.always(async () => {
  await browser?.close();
  await Promise.all([app?.stop(), api?.stop()]);
  if (settings) await rm(settings.dataDirectory, { recursive: true, force: true });
});

/** Starts both servers, as the demo does. */
async function start(): Promise<void> {
  settings = {
    appPort: await freePort(),
    apiPort: await freePort(),
    dataDirectory: await mkdtemp(join(tmpdir(), 'todo-demo-')),
    databaseUrl: undefined,
  };
  app = await startApp(settings);
  api = await startApi(settings);
  browser = await openBrowser();
}

/** A page in a new browser. */
async function open(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL: app.url, reducedMotion: 'reduce', locale: 'en-GB', ...options });
  contexts.push(context);
  return openTab(context);
}

async function openTab(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => consoleErrors.push(error.message));
  // Ignore what the browser itself logs about error responses.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      consoleErrors.push(message.text());
    }
  });
  return page;
}

/**
 * Ada's tasks page, with these tasks and no others. The first is the oldest.
 *
 * @param now what the clock of the browser shows, from which it goes on
 */
async function openTasks(
  tasks: readonly object[] = [],
  options: BrowserContextOptions = {},
  now?: string,
): Promise<Page> {
  const page = await open({ storageState: ada, ...options });
  if (now !== undefined) await page.clock.install({ time: now });
  const call = await callerOf(page);
  for (const { id } of (await call('GET', '/tasks')).body) await call('DELETE', `/tasks/${id}`);
  for (const task of tasks) await call('POST', '/tasks', { priority: 'medium', category: 'personal', ...task });
  await page.goto('/tasks');
  await page.getByText(/^(No|\d+) tasks?$/).waitFor({ state: 'attached' });
  return page;
}

async function signIn(page: Page): Promise<void> {
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('**/tasks');
}

/** Calls the API directly, as the user of the page. */
async function callerOf(page: Page) {
  const { token } = await (await page.request.get('/api/auth/token')).json();
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
  return async (method: string, path: string, data?: object) => {
    const response = await documentedFetch(`${api.url}/api/${sub}${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      ...(data && { body: JSON.stringify(data) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };
}

const titles = (page: Page) => page.locator('.task label').allInnerTexts();
const task = (page: Page, title: string) => page.locator('.task', { hasText: title });
const done = (page: Page, title: string) => page.getByRole('checkbox', { name: title, exact: true });

/** The text of an element, even if it is not rendered yet (`content-visibility`). */
const textOf = async (place: Locator) => (await place.textContent()) ?? '';

/** Waits for this list. Asserts on the last reading, because another one may see the next state. */
async function seen(
  t: ExecutionContext,
  page: Page,
  expected: readonly string[],
  places: Locator = page.locator('.task label'),
): Promise<void> {
  const stop = Date.now() + 20_000;
  let found = await places.allInnerTexts();
  while (!isDeepStrictEqual(found, expected)) {
    if (Date.now() > stop) {
      t.log(page.url(), await page.locator('main').ariaSnapshot());
      break;
    }
    await page.waitForTimeout(50);
    found = await places.allInnerTexts();
  }
  t.deepEqual(found, expected);
}

async function assertAccessible(
  t: ExecutionContext,
  page: Page,
  where: string,
  colorScheme: 'light' | 'dark' = 'light',
): Promise<void> {
  // In dark mode only the colours differ.
  const rules = colorScheme === 'light' ? '{}' : `{ runOnly: ['color-contrast'] }`;
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate(`axe.run(${rules})`)) as axe.AxeResults;
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  t.deepEqual(found, [], `${where}, ${colorScheme}`);
}

/** Holds back requests of this method until the returned function is called. */
async function holdBack(page: Page, method: string): Promise<() => void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  await page.route(`${api.url}/api/**`, async (route) => {
    if (route.request().method() === method) await promise;
    await route.continue();
  });
  return resolve;
}

inBrowser('sign up, edit tasks, sign out, and no other user sees them', async (t) => {
  await prepare(t);
  await start();
  const page = await open();
  await page.goto('/');
  await page.waitForURL('**/sign-in');
  await page.getByRole('link', { name: 'Sign up' }).click();
  await page.getByLabel('Name').fill('Ada Lovelace');
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.waitForURL('**/tasks');
  await page.getByText('Nothing to do.').waitFor();
  ada = await page.context().storageState();

  // Created in one line, and with details.
  await page.getByLabel('New task').fill('Buy milk');
  await page.keyboard.press('Enter');
  await seen(t, page, ['Buy milk']);
  await page.getByLabel('New task').fill('Call the dentist');
  await page.getByRole('button', { name: 'Details…' }).click();
  const dialog = page.getByRole('dialog');
  t.is(await dialog.getByLabel('Title').inputValue(), 'Call the dentist');
  await dialog.getByLabel('Description').fill('Ask about the crown');
  await dialog.getByLabel('Priority').selectOption('high');
  await dialog.getByLabel('Category').selectOption('home');
  await dialog.getByLabel('Due date').fill('2026-03-10');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await seen(t, page, ['Call the dentist', 'Buy milk']);
  t.regex(await textOf(task(page, 'Call the dentist')), /Ask about the crown.*Overdue ·\sTue,? 10 Mar/s);

  // Edited, completed, reopened.
  await page.getByRole('button', { name: 'Edit “Call the dentist”' }).click();
  t.is(await dialog.getByLabel('Due date').inputValue(), '2026-03-10');
  await dialog.getByLabel('Title').fill('Ask the dentist');
  await dialog.getByLabel('Due date').fill('');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await seen(t, page, ['Ask the dentist', 'Buy milk']);
  await task(page, 'Ask the dentist').getByText('updated').waitFor();
  t.notRegex(await textOf(task(page, 'Ask the dentist')), /Mar/);
  await done(page, 'Buy milk').check();
  await page.getByText('“Buy milk” completed.').waitFor();
  await done(page, 'Buy milk').uncheck();
  await page.getByText('“Buy milk” reopened.').waitFor();
  await done(page, 'Buy milk').check();
  await page.getByText('“Buy milk” completed.').waitFor();

  const stored = (await (await callerOf(page))('GET', '/tasks')).body;
  t.like(stored, [
    { title: 'Ask the dentist', description: 'Ask about the crown', priority: 'high', dueDate: null },
    { title: 'Buy milk', completed: true },
  ]);

  // Searched and sorted.
  await page.getByText('To do', { exact: true }).click();
  await seen(t, page, ['Ask the dentist']);
  await page.getByText('All', { exact: true }).click();
  await page.getByLabel('Priority').selectOption('medium');
  await seen(t, page, ['Buy milk']);
  await page.getByLabel('Priority').selectOption('');
  await page.getByLabel('Category').selectOption('home');
  await seen(t, page, ['Ask the dentist']);
  await page.getByLabel('Category').selectOption('');
  await seen(t, page, ['Ask the dentist', 'Buy milk']);
  await page.getByLabel('Search').fill('CROWN');
  await seen(t, page, ['Ask the dentist']);
  await page.getByLabel('Search').fill('nowhere');
  await page.getByRole('button', { name: 'Show all tasks' }).click();
  await seen(t, page, ['Ask the dentist', 'Buy milk']);
  await page.getByLabel('Order').selectOption('Title, Z to A');
  await seen(t, page, ['Ask the dentist', 'Buy milk']);
  await done(page, 'Buy milk').uncheck();
  await seen(t, page, ['Buy milk', 'Ask the dentist']);
  await page.reload();
  await seen(t, page, ['Buy milk', 'Ask the dentist']);
  await done(page, 'Buy milk').check();
  await page.getByText('“Buy milk” completed.').waitFor();

  await page.getByRole('link', { name: 'Profile' }).click();
  await page.getByRole('heading', { name: 'Ada Lovelace' }).waitFor();
  await page.getByRole('img', { name: '50 percent done' }).waitFor();
  t.regex(await page.getByRole('region', { name: 'Statistics' }).innerText(), /Done\s+1\s+To do\s+1\s+Total\s+2/);

  await page.getByRole('link', { name: 'Tasks' }).click();
  await page.getByRole('button', { name: 'Delete “Buy milk”' }).click();
  await page.getByText('“Buy milk” deleted.').waitFor();
  await seen(t, page, ['Ask the dentist']);

  // Another user, in another browser.
  const other = await open();
  await other.goto('/sign-up');
  await other.getByLabel('Name').fill('Bob');
  await other.getByLabel('E-mail').fill('bob@example.com');
  await other.getByLabel('Password').fill(PASSWORD);
  await other.getByRole('button', { name: 'Sign up' }).click();
  await other.getByText('Nothing to do.').waitFor();
  t.deepEqual(await titles(other), []);

  // In the same browser, after signing out. That ends the session; the next tests get a new one.
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL('**/sign-in');
  await page.goto('/tasks');
  await page.waitForURL('**/sign-in');
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Invalid email or password').waitFor();
  t.is(await page.getByLabel('E-mail').inputValue(), 'ada@example.com');
  await signIn(page);
  await seen(t, page, ['Ask the dentist']);
  ada = await page.context().storageState();
});

inBrowser('tags are written in the dialog, and a click on one shows the tasks that have it', async (t) => {
  const page = await openTasks([{ title: 'Buy milk', tags: ['Shopping'] }, { title: 'Call the dentist' }]);
  await page.getByRole('button', { name: 'Edit “Call the dentist”' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Tags').fill('a, A');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog
    .getByText(/must not be there twice/)
    .first()
    .waitFor();
  await dialog.getByLabel('Tags').fill('health, , this week ');
  await dialog.getByRole('button', { name: 'Save' }).click();
  const chips = (title: string) => task(page, title).locator('.tags button');
  await seen(t, page, ['health', 'this week'], chips('Call the dentist'));
  await assertAccessible(t, page, 'tasks with tags');
  await chips('Call the dentist').first().click();
  await seen(t, page, ['Call the dentist']);
  t.regex(page.url(), /tag=health/);
  await page.getByLabel('New task').fill('Buy apples');
  await page.keyboard.press('Enter');
  await seen(t, page, ['Buy apples', 'Call the dentist']);
  await seen(t, page, ['health'], chips('Buy apples'));
  await page.reload();
  await seen(t, page, ['Buy apples', 'Call the dentist']);
  await page.getByRole('button', { name: 'Not only the tag “health”' }).click();
  await seen(t, page, ['Buy apples', 'Call the dentist', 'Buy milk']);

  // What is left as it is stays as it is; what is emptied is gone.
  await page.getByRole('button', { name: 'Edit “Buy milk”' }).click();
  t.is(await dialog.getByLabel('Tags').inputValue(), 'Shopping');
  await dialog.getByLabel('Tags').fill('');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('“Buy milk” changed.').waitFor();
  await seen(t, page, [], chips('Buy milk'));
});

/** The headings and the titles, from top to bottom. */
const grouped = (page: Page) => page.locator('.group-name, .task label');

inBrowser(
  'tasks are in groups by when they are due, by the clock of the browser, and what is done is below',
  async (t) => {
    const tasks = [
      { title: 'Paint', dueDate: '2026-03-13T14:15' },
      { title: 'Yesterday', dueDate: '2026-03-09' },
      { title: 'All day', dueDate: '2026-03-10' },
      { title: 'This morning', dueDate: '2026-03-10T09:30' },
      { title: 'Tonight', dueDate: '2026-03-10T18:00' },
      { title: 'At an instant', dueDate: '2026-03-11T02:30:00Z' },
      { title: 'Whole tomorrow', dueDate: '2026-03-11' },
      { title: 'Some day' },
    ];
    const now = '2026-03-10T14:00:00Z';
    const page = await openTasks(tasks, { timezoneId: 'America/New_York' }, now);
    await seen(
      t,
      page,
      [
        ...['Overdue 2', 'This morning', 'Yesterday', 'Today 3', 'At an instant', 'Tonight', 'All day'],
        ...['Upcoming 2', 'Whole tomorrow', 'Paint', 'No date 1', 'Some day'],
      ],
      grouped(page),
    );
    const words = async (title: string) => (await textOf(task(page, title).locator('.due'))).replaceAll(/\s/g, ' ');
    t.deepEqual(await Promise.all(tasks.slice(0, -1).map(({ title }) => words(title))), [
      ...['Fri 13 Mar, 14:15', 'Overdue · Yesterday', 'Today', 'Overdue · Today 09:30', 'Today 18:00', 'Today 22:30'],
      'Tomorrow',
    ]);
    await assertAccessible(t, page, 'groups');

    // Where the clocks show another time, a wall clock is another moment, and an instant is another time.
    const tokyo = await open({ storageState: ada, timezoneId: 'Asia/Tokyo' });
    await tokyo.clock.install({ time: now });
    await tokyo.goto('/tasks');
    await seen(
      t,
      tokyo,
      [
        ...['Overdue 3', 'Tonight', 'This morning', 'Yesterday', 'Today 1', 'All day'],
        ...['Upcoming 3', 'Whole tomorrow', 'At an instant', 'Paint', 'No date 1', 'Some day'],
      ],
      grouped(tokyo),
    );

    // What is done goes down at once, here and elsewhere; the chosen order holds within a group.
    for (const title of ['Some day', 'Yesterday', 'This morning', 'Tonight']) await done(page, title).check();
    const below = ['Done 4', 'Some day', 'This morning', 'Tonight', 'Yesterday'];
    await page.getByLabel('Order').selectOption('Title, A to Z');
    const upcoming = ['Upcoming 2', 'Paint', 'Whole tomorrow'];
    await seen(t, page, ['Today 2', 'All day', 'At an instant', ...upcoming, ...below], grouped(page));
    await tokyo.getByLabel('Order').selectOption('Title, A to Z');
    const alsoUpcoming = ['Upcoming 3', 'At an instant', 'Paint', 'Whole tomorrow'];
    await seen(t, tokyo, ['Today 1', 'All day', ...alsoUpcoming, ...below], grouped(tokyo));
  },
);

inBrowser('a task goes to another group when its time comes, and when the day changes', async (t) => {
  const tasks = [
    { title: 'All of Wednesday', dueDate: '2026-03-11' },
    { title: 'All of Tuesday', dueDate: '2026-03-10' },
    { title: 'Before midnight', dueDate: '2026-03-10T23:58' },
  ];
  const page = await openTasks(tasks, { timezoneId: 'America/New_York' }, '2026-03-10T23:57:00-04:00');
  const [midnight, tuesday, wednesday] = ['Before midnight', 'All of Tuesday', 'All of Wednesday'];
  await seen(t, page, ['Today 2', midnight, tuesday, 'Upcoming 1', wednesday], grouped(page));
  const filtered = await openTab(page.context());
  await filtered.clock.install({ time: '2026-03-10T23:57:00-04:00' });
  await filtered.goto('/tasks?due=today');
  await seen(t, filtered, ['Today 2', midnight, tuesday], grouped(filtered));
  await mark(page);
  await page.clock.fastForward('01:05');
  await seen(t, page, ['Overdue 1', midnight, 'Today 1', tuesday, 'Upcoming 1', wednesday], grouped(page));
  await page.clock.fastForward('02:00');
  await seen(t, page, ['Overdue 2', midnight, tuesday, 'Today 1', wednesday], grouped(page));
  t.regex(await textOf(task(page, tuesday)), /Overdue · Yesterday/);
  t.true(await isTheSame(page));
  await filtered.clock.fastForward('03:05');
  await seen(t, filtered, ['Today 1', wednesday], grouped(filtered));
});

inBrowser('tasks are filtered by when they are due', async (t) => {
  const tasks = [
    { title: 'In a week', dueDate: '2026-03-17' },
    { title: 'In six days', dueDate: '2026-03-16T23:00' },
    { title: 'Today, done', dueDate: '2026-03-10' },
    { title: 'Today', dueDate: '2026-03-10' },
    { title: 'This morning', dueDate: '2026-03-10T09:30' },
    { title: 'Last year', dueDate: '2025-03-10', priority: 'low' },
    { title: 'At an instant', dueDate: '2026-03-11T02:30:00Z' },
    { title: 'Some day' },
  ];
  const page = await openTasks(tasks, { timezoneId: 'America/New_York' }, '2026-03-10T14:00:00Z');
  await done(page, 'Today, done').check();
  await page.getByText('“Today, done” completed.').waitFor();
  const due = page.getByLabel('Due', { exact: true });
  const add = async (title: string) => {
    await page.getByLabel('New task').fill(title);
    await page.keyboard.press('Enter');
    await page.getByText(`“${title}” added.`).waitFor();
  };

  await due.selectOption('Today');
  const today = ['Overdue 1', 'This morning', 'Today 2', 'At an instant', 'Today', 'Done 1', 'Today, done'];
  await seen(t, page, today, grouped(page));
  await add('Added');
  await seen(t, page, today.with(2, 'Today 3').toSpliced(3, 0, 'Added'), grouped(page));
  await page.getByRole('button', { name: 'Delete “Added”' }).click();
  await page.getByText('“Added” deleted.').waitFor();
  await due.selectOption('Next 7 days');
  await seen(t, page, [...today.slice(0, 5), 'Upcoming 1', 'In six days', ...today.slice(5)], grouped(page));
  await due.selectOption('No date');
  await seen(t, page, ['No date 1', 'Some day'], grouped(page));

  // What is due today without a time is not overdue, and neither is what is done.
  await due.selectOption('Overdue');
  await seen(t, page, ['Overdue 2', 'Last year', 'This morning'], grouped(page));
  t.is(new URL(page.url()).search, '?due=overdue');
  await page.getByLabel('Priority').selectOption('low');
  await seen(t, page, ['Overdue 1', 'Last year'], grouped(page));
  await page.reload();
  await seen(t, page, ['Overdue 1', 'Last year'], grouped(page));
  t.is(await due.inputValue(), 'overdue');
  await page.getByLabel('Priority').selectOption('');
  await done(page, 'This morning').click();
  await page.getByText('“This morning” completed.').waitFor();
  await seen(t, page, ['Overdue 1', 'Last year'], grouped(page));
  await add('Without a date');
  await seen(t, page, ['Overdue 1', 'Last year', 'No date 1', 'Without a date'], grouped(page));
  await task(page, 'Without a date').getByText('Does not match the filter').waitFor();
  await page.getByLabel('Search').fill('nowhere');
  await page.getByRole('button', { name: 'Show all tasks' }).click();
  await page.getByText('9 tasks', { exact: true }).waitFor();
  t.is(new URL(page.url()).search, '');
});

inBrowser('a due date has a time or is a whole day, and an instant stays one until it is changed', async (t) => {
  const instant = '2026-03-11T02:30:00.000Z';
  const tasks = [{ title: 'Call', dueDate: instant }];
  const page = await openTasks(tasks, { timezoneId: 'America/New_York' }, '2026-03-10T14:00:00Z');
  const dialog = page.getByRole('dialog');
  const [day, time] = [dialog.getByLabel('Due date'), dialog.getByLabel('Due time')];
  const call = await callerOf(page);
  const save = async () => {
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'hidden' });
  };
  const stored = async (title: string) =>
    (await call('GET', `/tasks?search=${title}`)).body.map(({ dueDate }: { dueDate: string }) => dueDate);
  const words = async (title: string) => (await textOf(task(page, title).locator('time'))).replaceAll(/\s/g, ' ');

  await page.getByRole('button', { name: 'Edit “Call”' }).click();
  t.deepEqual([await day.inputValue(), await time.inputValue()], ['2026-03-10', '22:30']);
  await dialog.getByLabel('Description').fill('About the crown');
  await save();
  t.deepEqual(await stored('Call'), [instant]);
  t.is(await words('Call'), 'Today 22:30');
  await page.getByRole('button', { name: 'Edit “Call”' }).click();
  await day.fill('2026-03-12');
  await save();
  t.deepEqual(await stored('Call'), ['2026-03-12T22:30:00']);
  t.regex(await words('Call'), /^Thu,? 12 Mar, 22:30$/);

  await page.getByRole('button', { name: 'Details…' }).click();
  await dialog.getByLabel('Title').fill('Meet');
  t.true(await time.isDisabled());
  await day.fill('2026-03-11');
  await time.fill('09:05');
  await assertAccessible(t, page, 'dialog with a due time');
  await save();
  t.deepEqual(await stored('Meet'), ['2026-03-11T09:05:00']);
  t.is(await words('Meet'), 'Tomorrow 09:05');
  await page.getByRole('button', { name: 'Edit “Meet”' }).click();
  await time.fill('');
  await save();
  t.deepEqual(await stored('Meet'), ['2026-03-11T00:00:00']);
  t.is(await words('Meet'), 'Tomorrow');
  await page.getByRole('button', { name: 'Edit “Meet”' }).click();
  await day.fill('');
  await save();
  t.deepEqual(await stored('Meet'), [null]);
});

/** The dates that are shown to come. */
async function seenDates(t: ExecutionContext, dialog: Locator, expected: readonly string[]): Promise<void> {
  const dates = dialog.locator('.next-dates time');
  const read = () => dates.evaluateAll((times) => times.map((time) => time.getAttribute('datetime')));
  for (let i = 0; i < 200 && !isDeepStrictEqual(await read(), expected); i++) await dialog.page().waitForTimeout(50);
  t.deepEqual(await read(), expected);
}

inBrowser('a task repeats: the next one comes when it is completed, and goes when it is reopened', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }], { timezoneId: 'America/New_York' });
  const other = await openTab(page.context());
  await other.goto('/tasks');
  await seen(t, other, ['Buy milk']);
  await mark(other);
  await page.bringToFront();
  const call = await callerOf(page);
  const dialog = page.getByRole('dialog');
  const [day, repeat] = [dialog.getByLabel('Due date'), dialog.getByLabel('Repeat')];
  await page.getByRole('button', { name: 'Details…' }).click();
  await dialog.getByLabel('Title').fill('Water the plants');
  t.true(await repeat.isDisabled());
  await day.fill('2031-03-10');
  t.deepEqual(await repeat.locator('option').allInnerTexts(), [
    ...['Does not repeat', 'Daily', 'Weekdays', 'Weekly on Monday', 'Monthly on day 10', 'Yearly', 'Custom…'],
  ]);
  const dates = (...days: string[]) => days.map((day) => `${day}T00:00:00`);
  for (const [name, ...days] of [
    ['Daily', '2031-03-11', '2031-03-12', '2031-03-13', '2031-03-14', '2031-03-15'],
    ['Weekdays', '2031-03-11', '2031-03-12', '2031-03-13', '2031-03-14', '2031-03-17'],
    ['Monthly on day 10', '2031-04-10', '2031-05-10', '2031-06-10', '2031-07-10', '2031-08-10'],
    ['Yearly', '2032-03-10', '2033-03-10', '2034-03-10', '2035-03-10', '2036-03-10'],
    ['Weekly on Monday', '2031-03-17', '2031-03-24', '2031-03-31', '2031-04-07', '2031-04-14'],
  ] as const) {
    await repeat.selectOption(name);
    await seenDates(t, dialog, dates(...days));
  }
  // The choice goes along with the date.
  await day.fill('2031-03-12');
  await seenDates(t, dialog, dates('2031-03-19', '2031-03-26', '2031-04-02', '2031-04-09', '2031-04-16'));
  t.is(await repeat.locator('option:checked').innerText(), 'Weekly on Wednesday');
  await assertAccessible(t, page, 'dialog with a repetition');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await seen(t, page, ['Upcoming 1', 'Water the plants', 'No date 1', 'Buy milk'], grouped(page));
  t.like((await call('GET', '/tasks?search=water')).body, [
    { recurrence: { rule: 'FREQ=WEEKLY;BYDAY=WE', anchor: 'schedule', timeZone: 'America/New_York' } },
  ]);
  await task(page, 'Water the plants').getByText('Every week on Wednesday').waitFor();

  // Done, and the next one is there: here and elsewhere.
  const once = ['Upcoming 1', 'Water the plants', 'No date 1', 'Buy milk'];
  const twice = [...once, 'Done 1', 'Water the plants'];
  await done(page, 'Water the plants').check();
  for (const place of [page, other]) {
    await seen(t, place, twice, grouped(place));
    t.regex(await textOf(place.locator('.task').first()), /Wed,?.19.Mar.2031/);
  }
  await done(page, 'Water the plants').last().click();
  for (const place of [page, other]) await seen(t, place, once, grouped(place));
  t.regex(await textOf(page.locator('.task').first()), /Wed,?.12.Mar.2031/);
  await done(page, 'Water the plants').check();
  await seen(t, page, twice, grouped(page));
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('Completion of “Water the plants” undone.').waitFor();
  for (const place of [page, other]) await seen(t, place, once, grouped(place));
  t.is(await page.evaluate('document.activeElement.labels?.[0]?.innerText'), 'Water the plants');
  t.true(await isTheSame(other));

  // Under a filter as well.
  await page.getByLabel('Search').fill('plants');
  await seen(t, page, once.slice(0, 2), grouped(page));
  await done(page, 'Water the plants').check();
  await seen(t, page, [...once.slice(0, 2), 'Done 1', 'Water the plants'], grouped(page));

  // Without a date nothing repeats.
  await page.getByRole('button', { name: 'Edit “Water the plants”' }).first().click();
  await day.fill('');
  t.true(await repeat.isDisabled());
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('“Water the plants” changed.').waitFor();
  t.like((await call('GET', '/tasks?status=pending&search=water')).body, [{ dueDate: null, recurrence: null }]);
});

inBrowser(
  'a repetition of one’s own is written, refused with a sentence, and one that is too rich is kept',
  async (t) => {
    const timeZone = 'Europe/Berlin';
    const rich = { rule: 'FREQ=MONTHLY;BYDAY=2TU', anchor: 'completion', timeZone };
    const page = await openTasks(
      [
        { title: 'Meet', dueDate: '2031-03-11T19:00', recurrence: rich },
        { title: 'Clean', dueDate: '2031-03-10' },
      ],
      { timezoneId: timeZone },
    );
    const call = await callerOf(page);
    const stored = async (title: string) => (await call('GET', `/tasks?search=${title}`)).body[0];
    const dialog = page.getByRole('dialog');
    const repeat = dialog.getByLabel('Repeat');
    const chosen = () => repeat.locator('option:checked').innerText();
    const save = async () => {
      await dialog.getByRole('button', { name: 'Save' }).click();
      await dialog.waitFor({ state: 'hidden' });
    };
    await page.getByRole('button', { name: 'Edit “Clean”' }).click();
    await repeat.selectOption('Custom…');
    await dialog.getByLabel('Every').fill('2');
    t.deepEqual(await dialog.getByRole('checkbox', { checked: true }).count(), 1);
    await dialog.getByLabel('Friday').check();
    await dialog.getByLabel('Ends').selectOption('After a number of times');
    await dialog.getByLabel('Times').fill('4');
    const days = ['2031-03-14', '2031-03-24', '2031-03-28'].map((day) => `${day}T00:00:00`);
    await seenDates(t, dialog, days);
    await assertAccessible(t, page, 'dialog with a repetition of one’s own');
    await dialog.getByLabel('Every').fill('1001');
    await dialog.getByText('INTERVAL must be a number from 1 to 1000.').waitFor();
    await seenDates(t, dialog, []);
    await assertAccessible(t, page, 'dialog with a refused repetition');
    await dialog.getByLabel('Every').fill('2');
    await seenDates(t, dialog, days);
    await save();
    t.deepEqual((await stored('Clean')).recurrence, {
      ...{ rule: 'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;COUNT=4', anchor: 'schedule', timeZone },
    });
    const words = 'Every 2 weeks on Monday and Friday, 4 times';
    await task(page, 'Clean').getByText(words).waitFor();

    // Opened again, it is as it was, and can be gone on with.
    await page.getByRole('button', { name: 'Edit “Clean”' }).click();
    t.is(await chosen(), words);
    await seenDates(t, dialog, days);
    await repeat.selectOption('Custom…');
    t.is(await dialog.getByLabel('Times').inputValue(), '4');
    t.is(await dialog.getByRole('checkbox', { checked: true }).count(), 2);
    await dialog.getByLabel('Unit').selectOption('days');
    await dialog.getByLabel('Every').fill('3');
    await dialog.getByLabel('Counted from').selectOption('The completion');
    await dialog.getByLabel('Ends').selectOption('On a date');
    await dialog.getByLabel('Last day').fill('2031-03-20');
    await dialog.locator('.next-dates time').first().waitFor();
    await save();
    t.deepEqual((await stored('Clean')).recurrence, {
      ...{ rule: 'FREQ=DAILY;INTERVAL=3;UNTIL=20310320', anchor: 'completion', timeZone },
    });
    t.regex(await textOf(task(page, 'Clean')), /Every 3 days, until Thu,?.20.Mar.2031, from when it is done/);

    // What the form cannot say stays as it is.
    await page.getByRole('button', { name: 'Edit “Meet”' }).click();
    t.is(await chosen(), 'FREQ=MONTHLY;BYDAY=2TU, from when it is done');
    await dialog.getByLabel('Due date').fill('2031-03-12');
    await dialog.getByLabel('Priority').selectOption('high');
    await save();
    t.like(await stored('Meet'), { recurrence: rich, dueDate: '2031-03-12T19:00:00', priority: 'high' });
    await page.getByRole('button', { name: 'Edit “Meet”' }).click();
    await repeat.selectOption('Daily');
    await repeat.selectOption('FREQ=MONTHLY;BYDAY=2TU, from when it is done');
    await dialog.getByLabel('Priority').selectOption('low');
    await save();
    t.like(await stored('Meet'), { recurrence: rich, priority: 'low' });
  },
);

inBrowser('a reminder is reckoned from the due date, or has a time of its own', async (t) => {
  const page = await openTasks([{ title: 'Call', dueDate: '2031-03-10T09:30' }], { timezoneId: 'America/New_York' });
  const call = await callerOf(page);
  const stored = async () => (await call('GET', '/tasks')).body[0].remindAt;
  const dialog = page.getByRole('dialog');
  const reminder = dialog.getByLabel('Reminder');
  const edit = async (how: () => Promise<unknown>) => {
    await page.getByRole('button', { name: 'Edit “Call”' }).click();
    await how();
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'hidden' });
  };
  t.is(await stored(), null);
  await edit(() => reminder.selectOption('1 hour before'));
  t.is(await stored(), '2031-03-10T12:30:00.000Z');
  t.regex(await textOf(task(page, 'Call')), /Reminder Mon,?.10.Mar.2031, 08:30/);
  // It goes along with the due date, and a day begins at nine.
  await edit(async () => {
    t.is(await reminder.locator('option:checked').innerText(), '1 hour before');
    await dialog.getByLabel('Due time').fill('10:00');
  });
  t.is(await stored(), '2031-03-10T13:00:00.000Z');
  await edit(() => dialog.getByLabel('Due time').fill(''));
  t.is(await stored(), '2031-03-10T12:00:00.000Z');
  await edit(async () => {
    await reminder.selectOption('At another time…');
    await dialog.getByLabel('Remind me at').fill('2031-03-01T07:15');
    await assertAccessible(t, page, 'dialog with a reminder');
  });
  t.is(await stored(), '2031-03-01T12:15:00.000Z');
  await edit(async () => {
    t.is(await dialog.getByLabel('Remind me at').inputValue(), '2031-03-01T07:15');
    await dialog.getByLabel('Due date').fill('');
  });
  t.is(await stored(), '2031-03-01T12:15:00.000Z');
  // To the second, as long as nobody changes it.
  const [{ id }] = (await call('GET', '/tasks')).body;
  await call('PUT', `/tasks/${id}`, { remindAt: '2031-03-01T12:15:42.123Z' });
  await page.reload();
  await edit(() => dialog.getByLabel('Priority').selectOption('high'));
  t.is(await stored(), '2031-03-01T12:15:42.123Z');
  await edit(() => reminder.selectOption('None'));
  t.is(await stored(), null);
});

/** Stands for the notifications of the system, which nobody would see here. */
const NOTIFICATIONS = `
  globalThis.notified = [];
  globalThis.Notification = class {
    static get permission() { return localStorage.getItem('permission') ?? 'default'; }
    static async requestPermission() {
      localStorage.setItem('permission', 'granted');
      return 'granted';
    }
    constructor(title) { notified.push(title); }
  };`;

inBrowser('a reminder that comes is shown once in each tab, and completed or dismissed there', async (t) => {
  t.timeout(240_000);
  const page = await openTasks([{ title: 'Buy milk' }]);
  await page.context().addInitScript(NOTIFICATIONS);
  const tabs = [await openTab(page.context()), await openTab(page.context())] as const;
  await page.close();
  const [tab, profile] = tabs;
  await tab.goto('/tasks');
  await seen(t, tab, ['Buy milk']);
  await profile.setViewportSize({ width: 360, height: 740 });
  await profile.goto('/profile');
  await profile.getByRole('img').waitFor();
  const call = await callerOf(tab);
  const soon = () => new Date(Date.now() + 1_500).toISOString();
  const remind = (title: string) =>
    call('POST', '/tasks', { title, priority: 'low', category: 'home', remindAt: soon() });
  const reminders = (place: Page) => place.locator('.reminders .toast');
  const notified = async () =>
    (await Promise.all(tabs.map((place) => place.evaluate('notified')))).flat() as readonly string[];

  // Nobody is asked, unless by a button.
  await remind('Call Bob');
  for (const place of tabs) {
    await reminders(place).getByText('Reminder: “Call Bob”').waitFor({ timeout: 60_000 });
    await assertAccessible(t, place, 'a reminder');
  }
  t.deepEqual(await notified(), []);
  await profile.getByRole('button', { name: 'Dismiss the reminder of “Call Bob”' }).click();
  for (const place of tabs) await reminders(place).waitFor({ state: 'detached' });

  await tab.getByRole('button', { name: 'Edit “Buy milk”' }).click();
  const dialog = tab.getByRole('dialog');
  const offer = dialog.getByRole('button', { name: 'Notify me outside of them, too' });
  t.is(await offer.count(), 0);
  await dialog.getByLabel('Reminder').selectOption('At another time…');
  await offer.click();
  await offer.waitFor({ state: 'detached' });
  t.is(await tab.evaluate('document.activeElement.name'), 'reminder');
  await tab.keyboard.press('Escape');

  await remind('Water the plants');
  await remind('Call Eve');
  for (const place of tabs) {
    await reminders(place).getByText('“Water the plants”').waitFor({ timeout: 60_000 });
    await reminders(place).getByText('“Call Eve”').waitFor({ timeout: 60_000 });
    t.is(await reminders(place).count(), 2);
  }
  t.is(await profile.evaluate('document.documentElement.scrollWidth'), 360);
  for (const button of await reminders(profile).getByRole('button').all()) {
    const { x = -1, width = 0 } = (await button.boundingBox()) ?? {};
    t.true(x >= 0 && x + width <= 360);
  }
  t.deepEqual([...(await notified())].sort(), ['Call Eve', 'Water the plants']);
  // Done from there, it is done everywhere; done elsewhere, it is not reminded of any more.
  await profile.getByRole('button', { name: 'Complete “Water the plants”' }).click();
  await done(tab, 'Water the plants').and(tab.locator(':checked')).waitFor();
  await done(tab, 'Call Eve').check();
  for (const place of tabs) await reminders(place).first().waitFor({ state: 'detached' });
  const { body } = await call('GET', '/tasks?status=completed');
  t.deepEqual(body.map(({ title }: { title: string }) => title).sort(), ['Call Eve', 'Water the plants']);

  // The tab that watches goes away: another one does it.
  await tab.close();
  await profile.waitForTimeout(1_000);
  await remind('Feed the cat');
  await reminders(profile).getByText('“Feed the cat”').waitFor({ timeout: 60_000 });
  t.deepEqual((await profile.evaluate('notified.filter((title) => title === "Feed the cat")')) as string[], [
    'Feed the cat',
  ]);
  await profile.reload();
  await profile.getByRole('img').waitFor();
  t.is(await reminders(profile).count(), 0);
});

inBrowser('completed tasks are cleared as far as they are shown, and Undo brings them back', async (t) => {
  const tasks = [
    { title: 'Call Bob', category: 'work' },
    { title: 'Water the plants', category: 'home' },
    { title: 'Buy milk', category: 'home' },
  ];
  const page = await openTasks(tasks);
  const call = await callerOf(page);
  const stored = async () => (await call('GET', '/tasks')).body.map(({ title }: { title: string }) => title);
  const clear = page.getByRole('button', { name: 'Clear completed' });
  t.is(await clear.count(), 0);
  for (const title of ['Call Bob', 'Buy milk']) {
    await done(page, title).check();
    await page.getByText(`“${title}” completed.`).waitFor();
  }
  await page.getByLabel('Category').selectOption('home');
  await seen(t, page, ['No date 1', 'Water the plants', 'Done 1', 'Buy milk'], grouped(page));
  await clear.click();
  await page.getByText('1 completed task deleted.').waitFor();
  await seen(t, page, ['No date 1', 'Water the plants'], grouped(page));
  t.deepEqual(await stored(), ['Water the plants', 'Call Bob']);
  t.is(await page.evaluate('document.activeElement.ariaLabel'), 'Your tasks');
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('Deletion of 1 completed task undone.').waitFor();
  await seen(t, page, ['No date 1', 'Water the plants', 'Done 1', 'Buy milk'], grouped(page));
  t.deepEqual(await stored(), ['Buy milk', 'Water the plants', 'Call Bob']);

  // Without a filter it is all of them. More than 100 come back without what they are.
  const many = Array.from({ length: 101 }, (_, number) => ({
    ...{ title: `Old ${number}`, priority: 'low', category: 'other', status: 'completed' },
    createdAt: '2020-01-01T00:00:00Z',
  }));
  await call('POST', '/tasks/import', { tasks: many });
  await page.getByLabel('Category').selectOption('');
  await page.locator('.group-name', { hasText: 'Done 103' }).waitFor();
  const letThrough = await holdBack(page, 'DELETE');
  await clear.click();
  await seen(t, page, ['No date 1', 'Water the plants'], grouped(page));
  t.is((await stored()).length, 104);
  letThrough();
  await page.getByText('103 completed tasks deleted.').waitFor();
  t.deepEqual(await stored(), ['Water the plants']);
  await page.keyboard.press('Control+z');
  await page.getByText('Deletion of 103 completed tasks undone.').waitFor();
  await page.locator('.group-name', { hasText: 'Done 103' }).waitFor();
  t.is((await stored()).length, 104);

  // Refused, they come back.
  await page.unrouteAll();
  await page.route(`${api.url}/api/**`, (route) =>
    route.request().method() === 'DELETE' ? route.abort() : route.continue(),
  );
  await clear.click();
  await page.getByText('The completed tasks could not be deleted.').waitFor();
  await page.locator('.group-name', { hasText: 'Done 103' }).waitFor();
});

inBrowser('all tasks are exported, and the file is imported again', async (t) => {
  const page = await openTasks([
    { title: 'Buy milk', tags: ['a,b'], dueDate: '2026-03-10' },
    { title: '=SUM(A1)', description: 'Two\nlines' },
  ]);
  await done(page, 'Buy milk').check();
  await page.getByText('“Buy milk” completed.').waitFor();
  const call = await callerOf(page);
  const before = (await call('GET', '/tasks')).body;
  await page.goto('/profile');
  const data = page.getByRole('region', { name: 'Your data' });
  const download = async (format: string) => {
    const started = page.waitForEvent('download');
    await data.getByRole('button', { name: `Export as ${format}` }).click();
    const file = await started;
    await data.getByRole('status').getByText('The file is among your downloads.').waitFor();
    t.regex(file.suggestedFilename(), new RegExp(`^tasks-\\d{4}-\\d\\d-\\d\\d\\.${format.toLowerCase()}$`));
    return readFile(await file.path(), 'utf8');
  };
  const json = await download('JSON');
  t.deepEqual(JSON.parse(json).tasks.reverse(), before);
  const csv = await download('CSV');
  t.regex(csv, /Buy milk/);

  // Imported, they are there twice; undone, once.
  const choose = (text: string, name = 'tasks.json') =>
    data.locator('input[type=file]').setInputFiles({ name, mimeType: 'application/json', buffer: Buffer.from(text) });
  const count = async () => (await call('GET', '/tasks')).body.length;
  await choose(json);
  await data.getByRole('status').getByText('2 tasks imported.').waitFor();
  await page.getByRole('img', { name: '50 percent done' }).waitFor();
  await page.locator('dd', { hasText: '4' }).waitFor();
  const plain = (tasks: { id: string; updatedAt: string }[]) =>
    tasks.map(({ id, updatedAt, ...task }) => JSON.stringify(task)).sort();
  const all = (await call('GET', '/tasks')).body;
  t.deepEqual(plain(all), plain([...before, ...before]));
  await assertAccessible(t, page, 'profile after an import');
  await data.getByRole('button', { name: 'Undo' }).click();
  await data.getByText('Import of 2 tasks undone.').waitFor();
  t.deepEqual((await call('GET', '/tasks')).body, before);
  t.is(await page.evaluate('document.activeElement.innerText'), 'Import JSON…');

  // What cannot be imported says why, and nothing is.
  for (const text of ['title\nBuy milk', '{"tasks":null}', 'null', '']) {
    await choose(text, 'tasks.csv');
    await data
      .getByRole('alert')
      .getByText('“tasks.csv” could not be imported. It is not a JSON file as the export makes it.')
      .waitFor();
    await data.getByRole('status').getByText('imported').waitFor({ state: 'detached' });
  }
  const wrong = { tasks: [before[0], ...Array.from({ length: 7 }, () => ({ ...before[1], title: '' }))] };
  const refusal = await call('POST', '/tasks/import', wrong);
  t.is(refusal.status, 422);
  await choose(JSON.stringify(wrong));
  await data.getByRole('alert').getByText(refusal.body.detail).waitFor();
  await seen(
    t,
    page,
    [...[2, 3, 4, 5, 6].map((place) => `Task ${place}: ${refusal.body.errors[0].message}`), '2 more.'],
    data.getByRole('alert').getByRole('listitem'),
  );
  await assertAccessible(t, page, 'profile after a refused import');

  // An answer was lost: chosen again, the file is imported once.
  await page.route(
    `${api.url}/api/*/tasks/import`,
    async (route) => {
      await route.fetch();
      await route.abort('timedout');
    },
    { times: 1 },
  );
  await choose(json);
  await data.getByText('“tasks.json” could not be imported. Your tasks cannot be reached at the moment.').waitFor();
  t.is(await count(), 4);
  await choose(json);
  await data.getByText('2 tasks imported.').waitFor();
  t.is(await count(), 4);
  await choose(json);
  await page.locator('dd', { hasText: '6' }).waitFor();
  t.is(await count(), 6);
});

inBrowser('a change is shown at once, and reverted when the API refuses it', async (t) => {
  const page = await openTasks([{ title: 'Water the plants' }, { title: 'Buy milk' }]);
  const call = await callerOf(page);
  const letThrough = await holdBack(page, 'PATCH');
  await done(page, 'Buy milk').click();
  t.true(await done(page, 'Buy milk').isChecked());
  const tasks = (await call('GET', '/tasks')).body;
  t.like(tasks, [{ title: 'Buy milk', completed: false }, { title: 'Water the plants' }]);

  // Deleted elsewhere meanwhile.
  const path = `/tasks/${tasks[0].id}`;
  await call('DELETE', path);
  letThrough();
  const { detail } = (await call('PATCH', `${path}/complete`)).body;
  await page.getByText(`“Buy milk” could not be completed. ${detail}`).waitFor();
  await seen(t, page, ['Water the plants']);

  // The input is kept, and every field shows its error.
  const letPost = await holdBack(page, 'POST');
  await page.getByRole('button', { name: 'Details…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Title').fill('x'.repeat(256));
  await dialog.getByLabel('Description').fill('y'.repeat(1001));
  await dialog.getByLabel('Due date').fill('2027-01-31');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await seen(t, page, ['x'.repeat(256), 'Water the plants']);
  await dialog.getByRole('button', { name: 'Saving…' }).waitFor();
  t.true(await dialog.getByLabel('Title').isDisabled());
  letPost();
  await dialog.getByRole('alert').waitFor();
  await seen(t, page, ['Water the plants']);
  const refusal = await call('POST', '/tasks', {
    title: 'x'.repeat(256),
    description: 'y'.repeat(1001),
    priority: 'medium',
    category: 'personal',
  });
  t.is(await dialog.getByRole('alert').innerText(), refusal.body.detail);
  for (const { message } of refusal.body.errors) await dialog.getByText(message, { exact: true }).waitFor();
  t.is(await dialog.locator('[aria-invalid]').count(), 2);
  t.is(await page.evaluate('document.activeElement.name'), 'title');
  t.is(await dialog.getByLabel('Title').inputValue(), 'x'.repeat(256));
  t.is(await dialog.getByLabel('Due date').inputValue(), '2027-01-31');
  await dialog.getByLabel('Title').fill('Short enough');
  await dialog.getByLabel('Description').fill('');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await seen(t, page, ['Short enough', 'Water the plants']);
  await dialog.waitFor({ state: 'hidden' });

  await page.getByLabel('New task').fill(' ');
  await page.keyboard.press('Enter');
  await page.getByText('“ ” could not be added. Title must have 1 to 255 characters.').waitFor();
});

inBrowser('a list that was read before a change does not undo it', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  const { promise: changed, resolve: letThrough } = Promise.withResolvers<void>();
  const { promise: read, resolve: wasRead } = Promise.withResolvers<void>();
  await page.route(
    `${api.url}/api/*/tasks`,
    async (route) => {
      const response = await route.fetch();
      wasRead();
      await changed;
      await route.fulfill({ response });
    },
    { times: 1 },
  );
  await page.evaluate(`dispatchEvent(new Event('online'))`);
  await read;
  await done(page, 'Buy milk').click();
  await page.getByText('“Buy milk” completed.').waitFor();
  letThrough();
  await page.locator('[aria-label="Your tasks"][aria-busy=false]').waitFor();
  t.true(await done(page, 'Buy milk').isChecked());
});

inBrowser('an edit does not overwrite what another tab has changed', async (t) => {
  const page = await openTasks([{ title: 'Buy milk', description: 'Two litres' }]);
  const other = await open({ storageState: ada });
  await other.goto('/tasks');
  const [dialog, otherDialog] = [page.getByRole('dialog'), other.getByRole('dialog')];
  await page.getByRole('button', { name: 'Edit “Buy milk”' }).click();
  await dialog.getByLabel('Title').fill('Buy oat milk');
  await other.getByRole('button', { name: 'Edit “Buy milk”' }).click();
  await otherDialog.getByLabel('Description').fill('One litre');
  await otherDialog.getByLabel('Priority').selectOption('high');
  await otherDialog.getByRole('button', { name: 'Save' }).click();
  await other.getByText('“Buy milk” changed.').waitFor();

  const answer = page.waitForResponse((response) => response.request().method() === 'PUT');
  await dialog.getByRole('button', { name: 'Save' }).click();
  t.is((await answer).status(), 412);
  await dialog.getByText((await (await answer).json()).detail).waitFor();
  const call = await callerOf(page);
  t.like((await call('GET', '/tasks')).body, [{ title: 'Buy milk', description: 'One litre', priority: 'high' }]);

  // The input is kept, next to the other tab's change, and can now be saved.
  t.is(await dialog.getByLabel('Title').inputValue(), 'Buy oat milk');
  t.is(await dialog.getByLabel('Description').inputValue(), 'One litre');
  t.is(await dialog.getByLabel('Priority').inputValue(), 'high');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await seen(t, page, ['Buy oat milk']);
  t.like((await call('GET', '/tasks')).body, [{ title: 'Buy oat milk', description: 'One litre', priority: 'high' }]);
});

inBrowser('a request that is retried after a lost response takes effect once', async (t) => {
  const page = await openTasks();
  const dialog = page.getByRole('dialog');
  let toLose = '';
  await page.route(`${api.url}/api/**`, async (route) => {
    if (route.request().method() !== toLose) return route.continue();
    toLose = '';
    await route.fetch();
    await route.abort('timedout');
  });

  toLose = 'POST';
  await page.getByLabel('New task').fill('Buy milk');
  await page.keyboard.press('Enter');
  await page.getByText('“Buy milk” could not be added.').waitFor();
  await seen(t, page, ['Buy milk']);
  await page.getByLabel('New task').press('Enter');
  await page.getByText('“Buy milk” added.').waitFor();
  await seen(t, page, ['Buy milk']);
  // Typed again, it is meant to be another task.
  await page.getByLabel('New task').fill('Buy milk');
  await page.keyboard.press('Enter');
  await seen(t, page, ['Buy milk', 'Buy milk']);

  toLose = 'POST';
  await page.getByRole('button', { name: 'Details…' }).click();
  await dialog.getByLabel('Title').fill('Call Bob');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('Your tasks cannot be reached at the moment.').waitFor();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await seen(t, page, ['Call Bob', 'Buy milk', 'Buy milk']);

  toLose = 'PUT';
  await page.getByRole('button', { name: 'Edit “Call Bob”' }).click();
  await dialog.getByLabel('Title').fill('Call Eve');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('Your tasks cannot be reached at the moment.').waitFor();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await page.reload();
  await seen(t, page, ['Call Eve', 'Buy milk', 'Buy milk']);
});

inBrowser('a closed dialog stays closed, and its result is shown when no dialog covers it', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  const dialog = page.getByRole('dialog');
  const letPost = await holdBack(page, 'POST');
  await page.getByRole('button', { name: 'Details…' }).click();
  await dialog.getByLabel('Title').fill('x'.repeat(256));
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Edit “Buy milk”' }).click();
  await dialog.getByLabel('Title').fill('Buy oat milk');
  const answer = page.waitForResponse((response) => response.request().method() === 'POST');
  letPost();
  await answer;
  await seen(t, page, ['Buy milk']);
  t.is(await dialog.getByLabel('Title').inputValue(), 'Buy oat milk');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('could not be added. Title must have 1 to 255 characters.').waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).click();
  t.is(await page.locator('.notice').count(), 0);
});

inBrowser('a link to the tasks shows all of them, whatever filter was set before', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }, { title: 'Call Bob', category: 'work' }]);
  await page.goto('/tasks?category=work');
  await seen(t, page, ['Call Bob']);
  await page.getByLabel('Search').fill('bob');
  await page.waitForURL('**/tasks?category=work&search=bob');
  await page.getByRole('link', { name: 'Tasks' }).click();
  await seen(t, page, ['Call Bob', 'Buy milk']);
  t.is(new URL(page.url()).search, '');
  t.is(await page.getByLabel('Category').inputValue(), '');
  t.is(await page.getByLabel('Search').inputValue(), '');
});

inBrowser('going back restores the filter', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }, { title: 'Call Bob', category: 'work' }]);
  await page.getByLabel('Category').selectOption('work');
  await seen(t, page, ['Call Bob']);
  await page.getByLabel('Search').fill('call');
  await page.waitForURL('**/tasks?category=work&search=call');
  await page.getByRole('link', { name: 'Profile' }).click();
  await page.getByRole('region', { name: 'Statistics' }).waitFor();
  await page.goBack();
  await seen(t, page, ['Call Bob']);
  t.is(new URL(page.url()).search, '?category=work&search=call');
  t.is(await page.getByLabel('Category').inputValue(), 'work');
  t.is(await page.getByLabel('Search').inputValue(), 'call');
});

inBrowser('a failed sign-out is reported', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  for (const fail of [(route: Route) => route.abort(), (route: Route) => route.fulfill({ status: 500 })]) {
    await page.route('**/api/auth/sign-out', fail);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are still signed in').waitFor();
    await page.unroute('**/api/auth/sign-out');
    await page.reload();
    await seen(t, page, ['Buy milk']);
  }
});

inBrowser('everything works by keyboard, and the focus is never lost', async (t) => {
  const page = await openTasks([{ title: 'Third' }, { title: 'Second' }]);
  const focused = () =>
    page.evaluate('document.activeElement.ariaLabel ?? document.activeElement.labels?.[0]?.innerText');
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await page.getByLabel('New task').focus();
  await page.keyboard.type('First');
  await press('Enter');
  await page.getByText('“First” added.').waitFor();
  t.is(await focused(), 'New task');

  // What is done goes down, and the next one has the focus.
  await done(page, 'Second').focus();
  await press('Space');
  await page.getByText('“Second” completed.').waitFor();
  await seen(t, page, ['First', 'Third', 'Second']);
  t.is(await focused(), 'Third');
  await press('Shift+Tab', 'Shift+Tab', 'Shift+Tab');
  t.is(await focused(), 'First');
  await done(page, 'Second').focus();
  await press('Space');
  await page.getByText('“Second” reopened.').waitFor();
  await seen(t, page, ['First', 'Second', 'Third']);
  t.is(await focused(), 'Third');
  await done(page, 'Second').focus();
  await press('Tab', 'Enter');
  await page.getByRole('dialog').waitFor();
  t.is(await focused(), 'Title');
  await press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  t.is(await focused(), 'Edit “Second”');
  await press('Tab', 'Enter');
  await seen(t, page, ['First', 'Third']);
  await page.getByText('“Second” deleted.').waitFor();
  t.is(await focused(), 'Third');

  // The row no longer matches the filter.
  await page.getByText('To do', { exact: true }).click();
  await done(page, 'First').focus();
  await press('Space');
  await seen(t, page, ['Third']);
  t.is(await focused(), 'Third');
});

/** A mark that a page loses when it is loaded anew. */
const mark = (page: Page) => page.evaluate('globalThis.isTheSame = true');
const isTheSame = (page: Page) => page.evaluate('globalThis.isTheSame === true');

inBrowser('a change in one tab is shown in the other ones, without a reload', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }, { title: 'Call Bob', category: 'work' }]);
  const tabs = [await openTab(page.context()), await openTab(page.context()), await openTab(page.context())] as const;
  const [plain, filtered, profile] = tabs;
  await plain.goto('/tasks');
  await filtered.goto('/tasks?category=work');
  await seen(t, plain, ['Call Bob', 'Buy milk']);
  await seen(t, filtered, ['Call Bob']);
  await profile.goto('/profile');
  await profile.getByRole('img', { name: '0 percent done' }).waitFor();
  for (const tab of tabs) await mark(tab);

  await page.getByLabel('New task').fill('Water the plants');
  await page.keyboard.press('Enter');
  await seen(t, plain, ['Water the plants', 'Call Bob', 'Buy milk']);
  await done(page, 'Call Bob').check();
  await plain.locator('.task.is-done', { hasText: 'Call Bob' }).waitFor();
  await filtered.locator('.task.is-done', { hasText: 'Call Bob' }).waitFor();
  await profile.getByRole('img', { name: '33 percent done' }).waitFor();
  await page.getByRole('button', { name: 'Edit “Buy milk”' }).click();
  await page.getByRole('dialog').getByLabel('Title').fill('Buy oat milk');
  await page.getByRole('dialog').getByLabel('Category').selectOption('work');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await seen(t, plain, ['Water the plants', 'Buy oat milk', 'Call Bob']);
  await seen(t, filtered, ['Buy oat milk', 'Call Bob']);
  await page.getByRole('button', { name: 'Delete “Call Bob”' }).click();
  await seen(t, plain, ['Water the plants', 'Buy oat milk']);
  await seen(t, filtered, ['Buy oat milk']);
  // It comes back to where it was.
  await page.getByRole('button', { name: 'Undo' }).click();
  await seen(t, plain, ['Water the plants', 'Buy oat milk', 'Call Bob']);
  await seen(t, filtered, ['Buy oat milk', 'Call Bob']);

  // The other way round, and after the API was away.
  await api.stop();
  api = await startApi(settings);
  await plain.getByLabel('New task').fill('Written here');
  await plain.keyboard.press('Enter');
  await seen(t, page, ['Written here', 'Water the plants', 'Buy oat milk', 'Call Bob']);
  for (const tab of tabs) t.true(await isTheSame(tab));
});

inBrowser('where the API no longer knows what has changed, everything is loaded anew', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  const call = await callerOf(page);
  await page.route(
    `${api.url}/api/*/changes?since=*`,
    async (route) => {
      // After the list was loaded, and before the position from which it is watched anew.
      await call('POST', '/tasks', { title: 'Call Bob', priority: 'low', category: 'work' });
      await route.fulfill({
        status: 410,
        contentType: 'application/problem+json',
        headers: { 'Access-Control-Allow-Origin': app.url, 'Access-Control-Allow-Credentials': 'true' },
        json: { type: '/problems/resync-required', title: 'Gone', status: 410, detail: 'Gone.' },
      });
    },
    { times: 1 },
  );
  await mark(page);
  // It watches anew.
  await page.evaluate(`dispatchEvent(new Event('online'))`);
  await seen(t, page, ['Call Bob', 'Buy milk']);
  t.true(await isTheSame(page));
});

inBrowser('what is deleted comes back with Undo, at its place', async (t) => {
  const page = await openTasks([
    { title: 'Third' },
    { title: 'Second', description: 'With words' },
    { title: 'First' },
  ]);
  const focused = () => page.evaluate('document.activeElement.labels?.[0]?.innerText');
  await page.getByRole('button', { name: 'Delete “Second”' }).click();
  await page.getByRole('status').getByText('“Second” deleted.').waitFor();
  await seen(t, page, ['First', 'Third']);
  // By keyboard: the message is before the list.
  t.is(await focused(), 'Third');
  await page.getByRole('button', { name: 'Undo' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('status').getByText('Deletion of “Second” undone.').waitFor();
  await seen(t, page, ['First', 'Second', 'Third']);
  t.is(await focused(), 'Second');
  const stored = (await (await callerOf(page))('GET', '/tasks')).body;
  t.like(stored[1], { title: 'Second', description: 'With words' });
  await page.getByRole('button', { name: 'Redo' }).click();
  await seen(t, page, ['First', 'Third']);

  // Under a filter, and sorted.
  await page.getByLabel('Order').selectOption('Title, A to Z');
  await page.getByLabel('Search').fill('ir');
  await page.getByRole('button', { name: 'Delete “First”' }).click();
  await page.getByText('“First” deleted.').waitFor();
  await seen(t, page, ['Third']);
  await page.getByRole('button', { name: 'Undo' }).click();
  await seen(t, page, ['First', 'Third']);
  await page.locator('input:focus').and(done(page, 'First')).waitFor();
});

inBrowser('Ctrl+Z undoes what was done last, and leaves text fields alone', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  const undo = () => page.keyboard.press('Control+z');
  const call = await callerOf(page);
  await undo();
  await page.getByText('There is nothing to undo.').waitFor();

  await page.getByRole('button', { name: 'Edit “Buy milk”' }).click();
  await page.getByRole('dialog').getByLabel('Title').fill('Buy oat milk');
  await page.getByRole('dialog').getByLabel('Priority').selectOption('high');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.getByText('“Buy oat milk” changed.').waitFor();
  await done(page, 'Buy oat milk').focus();
  await page.keyboard.press('Space');
  await page.getByText('“Buy oat milk” completed.').waitFor();

  // In a text field it is for the text.
  await page.keyboard.press('n');
  await page.keyboard.type('abc');
  await undo();
  t.not(await page.getByLabel('New task').inputValue(), 'abc');
  t.true(await done(page, 'Buy oat milk').isChecked());
  await page.getByLabel('New task').fill('');

  await done(page, 'Buy oat milk').focus();
  await undo();
  await page.getByText('Completion of “Buy oat milk” undone.').waitFor();
  t.false(await done(page, 'Buy oat milk').isChecked());
  await undo();
  await page.getByText('Change of “Buy oat milk” undone.').waitFor();
  await seen(t, page, ['Buy milk']);
  t.like((await call('GET', '/tasks')).body, [{ title: 'Buy milk', priority: 'medium', completed: false }]);
  await page.keyboard.press('Control+Shift+z');
  await page.getByText('Change of “Buy oat milk” redone.').waitFor();
  await seen(t, page, ['Buy oat milk']);

  // Somebody else has changed the same since.
  const [{ id }] = (await call('GET', '/tasks')).body;
  await call('PUT', `/tasks/${id}`, { title: 'Buy soy milk' });
  await seen(t, page, ['Buy soy milk']);
  const answer = page.waitForResponse((response) => response.url().endsWith('/undo'));
  await undo();
  t.is((await answer).status(), 409);
  const { detail } = await (await answer).json();
  await page.getByText(`Change of “Buy oat milk” could not be undone. ${detail}`).waitFor();
  await seen(t, page, ['Buy soy milk']);

  // What was added goes to the trash.
  await page.getByLabel('New task').fill('Call Bob');
  await page.keyboard.press('Enter');
  await page.getByText('“Call Bob” added.').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await seen(t, page, ['Buy soy milk']);
});

inBrowser('the trash: restore, erase for good, empty', async (t) => {
  const tags = ['shop', 'x'.repeat(50)];
  const page = await openTasks([{ title: 'One', tags }, { title: 'Two' }, { title: 'Three' }, { title: 'Four' }]);
  const call = await callerOf(page);
  t.is((await call('DELETE', '/trash')).status, 200);
  for (const title of ['One', 'Two', 'Three', 'Four']) {
    await page.getByRole('button', { name: `Delete “${title}”` }).click();
    await page.getByText(`“${title}” deleted.`).waitFor();
  }
  const list = page.getByRole('region', { name: 'Deleted tasks' });
  const inTrash = (expected: string[]) => seen(t, page, expected, list.locator('.title'));
  await page.getByRole('link', { name: 'Trash' }).click();
  await list.waitFor();
  await inTrash(['Four', 'Three', 'Two', 'One']);
  await seen(t, page, tags, list.getByRole('list', { name: 'Tags of “One”' }).getByRole('listitem'));
  t.is(await list.locator('.tags').count(), 1);
  const [{ restorableUntil }] = (await call('GET', '/trash')).body;
  const until = new Date(restorableUntil).toLocaleDateString('en-GB', { dateStyle: 'medium', timeZone: 'UTC' });
  t.true((await list.innerText()).includes('Deleted by you'));
  t.true((await list.innerText()).includes(`Can be restored until ${until}`), `${await list.innerText()} ${until}`);

  await list.getByRole('button', { name: 'Restore “Three”' }).click();
  await page.getByRole('status').getByText('“Three” restored.').waitFor();
  await inTrash(['Four', 'Two', 'One']);
  t.is(await page.evaluate('document.activeElement.ariaLabel'), 'Restore “Two”');
  t.like((await call('GET', '/tasks')).body, [{ title: 'Three' }]);

  const dialog = page.getByRole('dialog');
  await list.getByRole('button', { name: 'Erase “Two” for good…' }).click();
  await dialog.getByText('“Two” will be erased').waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await inTrash(['Four', 'Two', 'One']);
  await list.getByRole('button', { name: 'Erase “Two” for good…' }).click();
  await dialog.getByRole('button', { name: 'Erase for good' }).click();
  await page.getByText('“Two” erased.').waitFor();
  await inTrash(['Four', 'One']);
  t.like((await call('GET', '/trash')).body, [{ task: { title: 'Four' } }, { task: { title: 'One' } }]);

  await page.getByRole('button', { name: 'Empty the trash…' }).click();
  await dialog.getByRole('button', { name: 'Erase for good' }).click();
  await page.getByText('Everything erased.').waitFor();
  await page.getByText('The trash is empty.').waitFor();
  t.deepEqual((await call('GET', '/trash')).body, []);
});

inBrowser('the history of a task says what happened, and who did it', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  const dialog = page.getByRole('dialog');
  await done(page, 'Buy milk').check();
  await page.getByText('“Buy milk” completed.').waitFor();
  await page.getByRole('button', { name: 'Edit “Buy milk”' }).click();
  await dialog.getByLabel('Title').fill('Buy oat milk');
  await dialog.getByLabel('Due date').fill('2031-03-10');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('“Buy milk” changed.').or(page.getByText('“Buy oat milk” changed.')).waitFor();
  await page.keyboard.press('Control+z');
  await page.getByText('Change of “Buy oat milk” undone.').waitFor();

  // Agents act through other hosts than this one.
  await page.route(`${api.url}/api/*/audit?*`, async (route) => {
    const response = await route.fetch();
    const entries = await response.json();
    const isFirst = !new URL(route.request().url()).searchParams.has('cursor');
    if (isFirst) entries[0].actor = { type: 'agent', id: 'planner' };
    await route.fulfill({ response, json: entries });
  });
  await page.getByRole('button', { name: 'Edit “Buy milk”' }).click();
  await dialog.getByText('History').click();
  await dialog.getByText('an agent (planner)').waitFor();
  const entries = await dialog.locator('.history li').allInnerTexts();
  t.is(entries.length, 4);
  t.regex(
    entries[0] ?? '',
    /Undo\s+Title changed from “Buy oat milk” to “Buy milk”\s+Due date removed, was Mon,? 10 Mar 2031\s+by an agent \(planner\) · /,
  );
  t.regex(
    entries[1] ?? '',
    /Title changed from “Buy milk” to “Buy oat milk”\s+Due date set to Mon,? 10 Mar 2031\s+by you · \d/,
  );
  t.regex(entries[2] ?? '', /Completed\s+by you · \d+ \w+ \d{4}, \d\d:\d\d/);
  t.regex(entries[3] ?? '', /Created as “Buy milk”\s+by you · /);
});

inBrowser('a task that is added under a filter it does not match stays in sight', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  await page.getByLabel('Search').fill('milk');
  await page.waitForURL('**/tasks?search=milk');
  await seen(t, page, ['Buy milk']);
  for (const title of ['Call Bob', 'Buy oat milk']) {
    await page.getByLabel('New task').fill(title);
    await page.keyboard.press('Enter');
    await page.getByText(`“${title}” added.`).waitFor();
  }
  await seen(t, page, ['Call Bob', 'Buy oat milk', 'Buy milk']);
  await task(page, 'Call Bob').getByText('Does not match the filter').waitFor();
  t.is(await page.getByText('Does not match the filter').count(), 1);
  // It can be used as any other.
  await done(page, 'Call Bob').check();
  await page.getByText('“Call Bob” completed.').waitFor();
  await seen(t, page, ['Buy oat milk', 'Buy milk', 'Call Bob']);
  // With the next filter it is as any other.
  await page.getByLabel('Search').fill('buy');
  await seen(t, page, ['Buy oat milk', 'Buy milk']);
  await page.getByLabel('Search').fill('');
  await seen(t, page, ['Buy oat milk', 'Buy milk', 'Call Bob']);
  t.is(await page.getByText('Does not match the filter').count(), 0);
});

inBrowser('single keys lead to the new task, the search and the help, unless something is typed', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  const focused = () =>
    page.evaluate('document.activeElement.ariaLabel ?? document.activeElement.labels?.[0]?.innerText');
  await page.keyboard.press('n');
  t.is(await focused(), 'New task');
  await page.keyboard.type('n/?');
  t.is(await page.getByLabel('New task').inputValue(), 'n/?');
  t.is(await page.getByRole('dialog').count(), 0);
  await page.getByLabel('New task').fill('');
  await done(page, 'Buy milk').focus();
  await page.keyboard.press('/');
  t.is(await focused(), 'Search');
  t.is(await page.getByLabel('Search').inputValue(), '');

  await done(page, 'Buy milk').focus();
  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await help.waitFor();
  t.regex(await help.innerText(), /n\s+Write a new task\s+\/\s+Search\s+\?\s+Show this help\s+Ctrl\s+Z\s+Undo/);
  // Nothing behind the dialog.
  await page.keyboard.press('n');
  t.true(await help.isVisible());
  await help.getByLabel('Use the keys without Ctrl').uncheck();
  await page.keyboard.press('Escape');
  await help.waitFor({ state: 'hidden' });
  t.is(await focused(), 'Buy milk');
  await page.keyboard.press('n');
  t.is(await focused(), 'Buy milk');
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
  await help.getByLabel('Use the keys without Ctrl').check();
  await help.getByRole('button', { name: 'Close' }).click();
  await page.keyboard.press('n');
  t.is(await focused(), 'New task');
});

inBrowser('a long title is counted as the API counts it, and never wider than the page', async (t) => {
  const page = await openTasks();
  const field = page.getByLabel('New task');
  await field.fill('😀'.repeat(225));
  t.is(await page.getByText('of 255 characters').count(), 0);
  await field.fill('😀'.repeat(255));
  await page.getByText('255 of 255 characters.').waitFor();
  t.is(await field.getAttribute('aria-invalid'), null);
  await field.fill('😀'.repeat(257));
  await page.getByText('257 of 255 characters: 2 too many.').waitFor();
  t.is(await field.getAttribute('aria-invalid'), 'true');
  await field.fill('😀'.repeat(255));
  await field.press('Enter');
  await seen(t, page, ['😀'.repeat(255)]);
  await page.getByText('added.').waitFor();
  t.is(await page.evaluate('document.documentElement.scrollWidth'), 1280);

  await page.getByRole('button', { name: 'Details…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Title').fill('x'.repeat(256));
  await dialog.getByText('256 of 255 characters: 1 too many.').waitFor();
  await dialog.getByLabel('Description').fill('y'.repeat(990));
  await dialog.getByText('990 of 1000 characters.').waitFor();
});

inBrowser('texts run in their own direction, and dates are in the language of the reader', async (t) => {
  const tasks = [{ title: 'שלום (1)', description: 'Left to right', dueDate: '2031-03-10' }];
  const page = await openTasks(tasks, { locale: 'de-DE' });
  const isFromTheRight = (place: Locator) => place.evaluate((element) => element.matches(':dir(rtl)'));
  t.true(await isFromTheRight(page.locator('.task label')));
  t.false(await isFromTheRight(page.locator('.task .description')));
  t.regex(await textOf(page.locator('.task time')), /^Mo\., 10\. März 2031$/);
  await page.getByLabel('New task').fill('שלום');
  t.true(await isFromTheRight(page.getByLabel('New task')));
  await page.goto('/profile');
  const month = new Date().toLocaleDateString('de-DE', { month: 'long', year: 'numeric' });
  await page.getByText(`here since ${month}`).waitFor();
});

inBrowser('with 2,000 tasks all of them are there, and everything works', async (t) => {
  t.timeout(240_000);
  const page = await open();
  await page.goto('/sign-up');
  await page.getByLabel('Name').fill('Grace');
  await page.getByLabel('E-mail').fill('grace@example.com');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByText('Nothing to do.').waitFor();
  const call = await callerOf(page);
  const tasks = Array.from({ length: 2000 }, (_, number) => ({
    title: `Task ${number}`,
    priority: 'low',
    category: 'home',
    createdAt: new Date(Date.UTC(2026, 0, 1, 0, 0, number)).toISOString(),
  }));
  t.is((await call('POST', '/tasks/import', { tasks })).status, 201);
  await page.goto('/tasks');
  // By class: to look through the texts of so many rows takes the browser seconds.
  const rows = async (count: number) => {
    await page.locator('.count', { hasText: `${count} tasks` }).waitFor();
    while ((await page.locator('.task').count()) !== count) await page.waitForTimeout(50);
  };
  await rows(2000);
  t.is(await textOf(page.locator('.task label').last()), 'Task 0');

  // By what is in the page: roles are only computed for what is rendered.
  await task(page, 'Task 1000').locator('input').check();
  await page.locator('.toast', { hasText: '“Task 1000” completed.' }).waitFor();
  await page.locator('.group-name', { hasText: 'Done 1' }).waitFor();
  await page.keyboard.press('Tab');
  t.is(await page.evaluate('document.activeElement.ariaLabel'), 'Edit “Task 999”');
  await page.getByLabel('Delete “Task 0”', { exact: true }).click();
  await page.locator('.toast', { hasText: '“Task 0” deleted.' }).waitFor();
  await rows(1999);
  await page.keyboard.press('Control+z');
  await rows(2000);
  await page.getByLabel('Search').fill('Task 199');
  await rows(11);
  await seen(t, page, [...Array.from({ length: 10 }, (_, number) => `Task ${1999 - number}`), 'Task 199']);
  await page.getByLabel('Search').fill('');
  await rows(2000);
});

inBrowser('the API goes away and comes back: the page says so, and recovers by itself', async (t) => {
  t.timeout(120_000);
  const page = await openTasks([{ title: 'Buy milk' }]);
  await api.stop();
  await done(page, 'Buy milk').click();
  await page.getByText('“Buy milk” could not be completed. Your tasks cannot be reached at the moment.').waitFor();
  t.false(await done(page, 'Buy milk').isChecked());
  await page.getByRole('button', { name: 'Try again' }).click();
  t.deepEqual(await titles(page), ['Buy milk']);

  await page.getByLabel('New task').fill('Written meanwhile');
  await page.keyboard.press('Enter');
  await page.getByText('“Written meanwhile” could not be added.').waitFor();
  t.is(await page.getByLabel('New task').inputValue(), 'Written meanwhile');

  const profile = await open({ storageState: ada });
  await profile.goto('/profile');
  await profile.getByText('Your tasks cannot be reached at the moment.').waitFor();

  api = await startApi(settings);
  await page.getByRole('button', { name: 'Try again' }).waitFor({ state: 'hidden' });
  await profile.getByRole('img', { name: '0 percent done' }).waitFor();
  await page.getByLabel('New task').press('Enter');
  await seen(t, page, ['Written meanwhile', 'Buy milk']);
});

inBrowser('a refused token is refreshed once', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  let broken = 0;
  const statuses: number[] = [];
  page.on('response', (response) => {
    if (response.request().method() === 'PATCH') statuses.push(response.status());
  });
  await page.route(`${api.url}/api/**`, async (route) => {
    const request = route.request();
    const isFirst = request.method() === 'PATCH' && broken++ === 0;
    await route.continue(isFirst ? { headers: { ...request.headers(), authorization: 'Bearer broken' } } : {});
  });
  // Two tokens from the same second are equal.
  await page.waitForTimeout(1_000);
  await done(page, 'Buy milk').click();
  await page.getByText('“Buy milk” completed.').waitFor();
  t.deepEqual(statuses, [401, 200]);

  // Another tab has ended the session: there is no new token.
  await page.request.post('/api/auth/sign-out', { headers: { Origin: app.url }, data: {} });
  broken = 0;
  await done(page, 'Buy milk').click();
  await page.waitForURL('**/sign-in');
  await signIn(page);
  await seen(t, page, ['Buy milk']);
  ada = await page.context().storageState();
});

inBrowser('the picked day is the day that is shown, in every time zone', async (t) => {
  for (const [here, there] of [
    ['America/New_York', 'Asia/Tokyo'],
    ['Asia/Tokyo', 'America/New_York'],
  ] as const) {
    const page = await openTasks([], { timezoneId: here });
    await page.getByRole('button', { name: 'Details…' }).click();
    await page.getByRole('dialog').getByLabel('Title').fill('Meet');
    await page.getByRole('dialog').getByLabel('Due date').fill('2026-03-10');
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
    await page.getByText('“Meet” added.').waitFor();
    const visitor = await open({ storageState: ada, timezoneId: there });
    await visitor.goto('/tasks');
    for (const [place, where] of [
      [page, here],
      [visitor, there],
    ] as const) {
      await place.reload();
      await seen(t, place, ['Meet']);
      t.regex(await textOf(place.locator('time')), /^Tue,? 10 Mar/, `from ${here}, seen in ${where}`);
      // Saving another change keeps it as it is.
      await place.getByRole('button', { name: 'Edit “Meet”' }).click();
      t.is(await place.getByLabel('Due date').inputValue(), '2026-03-10');
      await place.getByLabel('Description').fill(where);
      await place.getByRole('button', { name: 'Save' }).click();
      await place.getByText('“Meet” changed.').waitFor();
    }
    t.like((await (await callerOf(page))('GET', '/tasks')).body, [{ dueDate: '2026-03-10T00:00:00' }]);
  }

  // An instant has a time, and can be another day in another zone.
  const instant = { title: 'Call', dueDate: '2026-03-10T02:30:00Z' };
  t.regex(await textOf((await openTasks([instant], { timezoneId: 'Asia/Tokyo' })).locator('time')), /10 Mar.*, 11:30$/);
  t.regex(
    await textOf((await openTasks([instant], { timezoneId: 'America/New_York' })).locator('time')),
    /9 Mar.*, 22:30$/,
  );
});

const LONG = [
  { title: 'Donaudampfschifffahrtsgesellschaftskapitän'.repeat(3), description: 'w'.repeat(300), priority: 'high' },
  { title: 'Buy milk', dueDate: '2026-03-10', category: 'home' },
];

inBrowser('on a phone nothing is wider than the screen', async (t) => {
  const page = await openTasks(LONG, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
  const width = () => page.evaluate('document.documentElement.scrollWidth');
  t.is(await width(), 360);
  // The tasks use most of the screen; rarely used controls are behind a button.
  t.true(((await page.locator('.task').first().boundingBox())?.y ?? 740) < 740 * 0.45);
  t.false(await page.getByLabel('Priority').isVisible());
  await done(page, 'Buy milk').tap();
  await page.getByRole('button', { name: 'Clear completed' }).waitFor();
  t.is(await width(), 360);
  await done(page, 'Buy milk').tap();
  await page.getByRole('button', { name: 'Clear completed' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Filters' }).tap();
  await page.getByLabel('Due').selectOption('No date');
  await seen(t, page, [LONG[0]?.title ?? '']);
  t.is(await width(), 360);
  await page.getByLabel('Due').selectOption('');
  await page.getByLabel('Priority').selectOption('medium');
  await seen(t, page, ['Buy milk']);
  t.is(await width(), 360);
  await page.getByLabel('Priority').selectOption('');
  await page.getByRole('button', { name: 'Filters' }).tap();
  await page.getByRole('button', { name: /^Edit “Donau/ }).tap();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Due date').fill('2031-03-10');
  await dialog.getByLabel('Repeat').selectOption('Custom…');
  await dialog.getByLabel('Ends').selectOption('After a number of times');
  await dialog.getByLabel('Reminder').selectOption('At another time…');
  await dialog.locator('.next-dates time').first().waitFor();
  t.is(await width(), 360);
  t.true(Number(await page.evaluate(`document.querySelector('dialog').getBoundingClientRect().right`)) <= 360);
  t.true(await dialog.evaluate((element) => element.scrollWidth <= element.clientWidth));
  for (const [path, place] of [
    ['/profile', page.getByRole('img')],
    ['/trash', page.locator('.task').first()],
  ] as const) {
    await page.goto(path);
    await place.waitFor();
    t.is(await width(), 360);
  }
});

inBrowser('an app is let in, works with the tasks under its name, and is disconnected', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  const client = await startClient(`${api.url}/mcp`, 'Planner');
  t.teardown(() => client.stop());
  t.like(client.registered, { status: 201, body: { token_endpoint_auth_method: 'none', client_secret: undefined } });
  const demanding = await client.register({
    redirect_uris: [client.redirectUri, 'https://example.com/callback'],
    grant_types: ['authorization_code', 'client_credentials'],
    token_endpoint_auth_method: 'client_secret_post',
    application_type: 'web',
    scope: 'admin',
  });
  t.deepEqual(
    [demanding.status, demanding.body.grant_types, demanding.body.scope, demanding.body.client_secret],
    [201, ['authorization_code', 'refresh_token'], 'todo:read todo:write offline_access', undefined],
  );
  const told = await client.register({ redirect_uris: [client.redirectUri], backchannel_logout_uri: api.url });
  t.like(told, { status: 400, body: { error: 'invalid_client_metadata' } });

  // Who is not signed in does that first, or signs up.
  const visitor = await open();
  await visitor.goto(client.authorizationUrl());
  await visitor.getByText('An app would like to work with your tasks.').waitFor();
  await visitor.getByRole('link', { name: 'Sign up' }).click();
  await visitor.getByRole('link', { name: 'Sign in' }).click();
  await visitor.getByRole('heading', { name: 'Welcome back' }).waitFor();
  await visitor.getByLabel('E-mail').fill('ada@example.com');
  await visitor.getByLabel('Password').fill(PASSWORD);
  await visitor.getByRole('button', { name: 'Sign in' }).click();
  await visitor.getByRole('heading', { name: 'Connect an app?' }).waitFor();
  const question = await visitor.locator('main').innerText();
  t.regex(question, /Planner would like to work with the tasks of ada@example\.com/);
  t.regex(question, /See your tasks\s+Add, change, complete and delete your tasks;.*\s+Stay connected/);
  t.regex(question, new RegExp(`an app on this computer \\(${new URL(client.redirectUri).host}\\)`));
  await visitor.getByRole('button', { name: 'Allow' }).click();
  await visitor.waitForURL(`${client.redirectUri}?*`);
  t.like(client.answer(), { state: 'the state', iss: client.issuer });

  const { status, body: tokens } = await client.exchange(client.answer().code);
  t.is(status, 200);
  const [header, claims] = tokens.access_token
    .split('.')
    .slice(0, 2)
    .map((part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()));
  const { user } = await (await page.request.get('/api/auth/get-session')).json();
  t.is(header.typ, 'at+jwt');
  t.like(claims, {
    iss: `${app.url}/api/auth`,
    aud: `${api.url}/mcp`,
    sub: user.id,
    client_id: client.id,
    scope: 'todo:read todo:write offline_access',
  });
  t.is(claims.exp - claims.iat, 15 * 60);
  const refreshed = await client.refresh(tokens.refresh_token);
  t.is(refreshed.status, 200);
  t.not(refreshed.body.refresh_token, tokens.refresh_token);

  // What it does is seen under its name.
  const agent = await connect(api.url, refreshed.body.access_token);
  t.teardown(() => agent.close());
  const call = await callerOf(page);
  const [milk] = (await call('GET', '/tasks')).body;
  const changes = [{ id: milk.id, title: 'Buy oat milk' }];
  await agent.callTool({ name: 'update_tasks', arguments: { changes } });
  const tasks = [{ title: 'Buy bread', priority: 'low', category: 'home' }];
  await agent.callTool({ name: 'add_tasks', arguments: { tasks } });
  await page.reload();
  await seen(t, page, ['Buy bread', 'Buy oat milk']);
  await page.getByRole('button', { name: 'Edit “Buy oat milk”' }).click();
  await page.getByText('History').click();
  await page.getByText('by Planner').waitFor();
  await page.keyboard.press('Escape');

  await page.getByRole('link', { name: 'Profile' }).click();
  const apps = page.getByRole('region', { name: 'Connected apps' });
  t.regex(await textOf(apps.getByRole('listitem')), /Planner.*Sees and changes your tasks.*Allowed/s);
  await apps.getByRole('button', { name: 'Undo what “Planner” did…' }).click();
  await assertAccessible(t, page, 'profile with apps');
  await page.getByLabel('What it did').selectOption('At any time');
  await page.getByRole('button', { name: 'Undo', exact: true }).click();
  await page.getByText('2 changes undone.').waitFor();
  t.deepEqual(
    (await call('GET', '/tasks')).body.map(({ title }: { title: string }) => title),
    ['Buy milk'],
  );

  // A second consent is not asked for; a code of it ends with the connection.
  await visitor.goto(client.authorizationUrl());
  await visitor.waitForURL(`${client.redirectUri}?*`);
  await apps.getByRole('button', { name: 'Disconnect “Planner”…' }).click();
  await page.getByRole('button', { name: 'Disconnect', exact: true }).click();
  await page.getByText('“Planner” disconnected.').waitFor();
  await apps.getByText('No app can see or change your tasks.').waitFor();
  await page.waitForFunction(`document.activeElement.className === 'apps'`);
  t.like(await client.exchange(client.answer().code), { status: 400, body: { error: 'invalid_grant' } });
  t.like(await client.refresh(refreshed.body.refresh_token), { status: 400, body: { error: 'invalid_grant' } });
  await visitor.goto(client.authorizationUrl());
  await visitor.getByRole('heading', { name: 'Connect an app?' }).waitFor();

  // The name stays.
  await apps.locator('summary').click();
  await apps.getByRole('button', { name: 'Undo what “Planner” did…' }).waitFor();
  await page.getByRole('link', { name: 'Trash' }).click();
  await page.locator('.task', { hasText: 'Buy bread' }).getByText('History').click();
  await page.getByText('by Planner').waitFor();
});

inBrowser('the official client needs nothing but the address of the tools, and uses all of them', async (t) => {
  const page = await openTasks([{ title: 'Buy milk' }]);
  let callback = new URLSearchParams();
  const listener = createHttpServer(({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://127.0.0.1');
    if (pathname === '/callback') callback = searchParams;
    response.end('You may close this page.');
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.teardown(() => listener.close());
  const redirectUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`;

  const kept: {
    discovery?: OAuthDiscoveryState;
    client?: OAuthClientInformationMixed;
    tokens?: OAuthTokens;
    verifier?: string;
    asked?: URL;
  } = {};
  const authProvider: OAuthClientProvider = {
    redirectUrl,
    clientMetadata: { client_name: 'Official client', redirect_uris: [redirectUrl] },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => {
      kept.client = client;
    },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => {
      kept.tokens = tokens;
    },
    redirectToAuthorization: (url) => {
      kept.asked = url;
    },
    saveCodeVerifier: (verifier) => {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier ?? '',
    saveDiscoveryState: (discovery) => {
      kept.discovery = discovery;
    },
    discoveryState: () => kept.discovery,
  };
  const newTransport = () => new StreamableHTTPClientTransport(new URL(`${api.url}/mcp`), { authProvider });
  const client = () => new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
  const refused = newTransport();
  await t.throwsAsync(client().connect(refused));
  await page.goto(String(kept.asked));
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL(`${redirectUrl}?*`);
  await refused.finishAuth(callback);

  const agent = client();
  await agent.connect(newTransport());
  t.teardown(() => agent.close());
  t.is((await agent.listTools()).tools.length, 8);
  const { output: found } = await use(agent, 'find_tasks', { search: 'milk' });
  const [{ id }] = found.tasks;
  const { output: added } = await use(agent, 'add_tasks', { tasks: [{ title: 'Buy bread' }] });
  const ids = [id, added.changes[0].id];
  await use(agent, 'update_tasks', { changes: [{ id, title: 'Buy oat milk' }] });
  await use(agent, 'complete_tasks', { ids, completed: true });
  const { output: deleted } = await use(agent, 'delete_tasks', { ids });
  await use(agent, 'undo_changes', { changeId: deleted.changeId });
  const { output: read } = await use(agent, 'get_tasks', { ids });
  t.deepEqual(read.tasks.map(({ title, status }: { title: string; status: string }) => [title, status]).sort(), [
    ['Buy bread', 'completed'],
    ['Buy oat milk', 'completed'],
  ]);
  const { output: history } = await use(agent, 'recent_changes', { taskId: id });
  t.deepEqual(
    history.changes.map(({ change, by }: { change: string; by: string }) => [change, by]),
    [...['restored', 'deleted', 'completed', 'updated'].map((change) => [change, 'you']), ['created', 'the user']],
  );
});

inBrowser('an app is turned away, whatever it calls itself', async (t) => {
  const name = `<img src=x onerror="document.title='hacked'"> ${'x'.repeat(200)}`;
  const client = await startClient(`${api.url}/mcp`, name);
  t.teardown(() => client.stop());
  const page = await open({ storageState: ada, viewport: { width: 360, height: 640 } });
  const url = client.authorizationUrl();
  await page.goto(url);
  const shown = await page.locator('strong bdi').innerText();
  t.true(name.startsWith(shown));
  t.is(shown.length, 100);
  t.is(await page.locator('main img').count(), 0);
  t.is(await page.evaluate('document.documentElement.scrollWidth'), 360);
  t.is(await page.title(), 'Connect an app · Tasks');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await assertAccessible(t, page, 'consent', colorScheme);
  }
  const asked = page.url();

  await page.getByRole('button', { name: 'Deny' }).focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(`${client.redirectUri}?*`);
  t.like(client.answer(), { error: 'access_denied', state: 'the state', code: undefined });

  // What was signed cannot be changed, and nobody else gets the answer.
  for (const address of [
    asked.replace('todo%3Awrite', 'todo%3Aread'),
    `${asked}&scope=todo%3Aread`,
    url.replace(client.id, 'unknown'),
    client.authorizationUrl({ redirect_uri: 'https://example.com/callback' }),
  ]) {
    await page.goto(address);
    await page.getByRole('heading', { name: 'The app was not connected' }).waitFor();
  }
  for (const [more, error] of [
    [{ resource: `${api.url}/elsewhere` }, 'invalid_target'],
    [{ scope: 'admin' }, 'invalid_scope'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
  ] as const) {
    await page.goto(client.authorizationUrl(more));
    t.is(client.answer().error, error);
  }
});

inBrowser('axe finds no accessibility problem, in light and dark mode', async (t) => {
  t.timeout(120_000);
  for (const colorScheme of ['light', 'dark'] as const) {
    const check = (page: Page, where: string) => assertAccessible(t, page, where, colorScheme);
    const stranger = await open({ colorScheme });
    for (const path of ['/sign-up', '/nowhere', '/sign-in']) {
      await stranger.goto(path);
      await check(stranger, path);
    }
    await stranger.getByLabel('E-mail').fill('ada@example.com');
    await stranger.getByLabel('Password').fill('wrong');
    await stranger.getByRole('button', { name: 'Sign in' }).click();
    await stranger.getByText('Invalid email or password').waitFor();
    await check(stranger, 'failed sign-in');
    const page = await openTasks(LONG, { colorScheme });
    await done(page, 'Buy milk').check();
    await page.getByText('“Buy milk” completed.').waitFor();
    await check(page, 'tasks');
    await page.getByRole('button', { name: 'Edit “Buy milk”' }).click();
    await check(page, 'dialog');
    await page.getByLabel('Title').fill(' ');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('.field .error').waitFor();
    await check(page, 'dialog with a refused field');
    await page.getByText('History').click();
    await page.getByText('Created as').waitFor();
    await check(page, 'dialog with the history');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await check(page, 'shortcuts');
    await page.keyboard.press('Escape');
    await page.getByLabel('Search').fill('nowhere');
    await page.getByText('No tasks match.').waitFor();
    await check(page, 'nothing found');
    await page.getByRole('button', { name: 'Show all tasks' }).click();
    await done(page, 'Buy milk').waitFor();
    await page.route(`${api.url}/api/**`, (route) => route.abort());
    await page.route('**/api/auth/sign-out', (route) => route.abort());
    await done(page, 'Buy milk').click();
    await page.locator('.notice').waitFor();
    await page.locator('.away').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are still signed in').waitFor();
    await check(page, 'notice, away, not signed out');
    await page.unrouteAll();
    await page.getByRole('link', { name: 'Profile' }).click();
    await page.getByRole('img').waitFor();
    await check(page, 'profile');
    await page.getByRole('link', { name: 'Trash' }).click();
    await page.locator('.task').first().waitFor();
    await check(page, 'trash');
    await page.getByRole('button', { name: 'Empty the trash…' }).click();
    await check(page, 'dialog that empties the trash');
  }
});

inBrowser('no page has logged an error or violated its security policy', async (t) => {
  t.deepEqual(consoleErrors, []);
  const page = await open();
  const policy = (await page.goto('/sign-in'))?.headers()['content-security-policy'] ?? '';
  t.true(policy.includes(`connect-src 'self' ${api.url};`), policy);
  t.notRegex(policy, /unsafe/);
});

/** Runs the demo in its own process, which ends with the test. */
function demo(t: ExecutionContext, env: Record<string, string>, ...args: string[]) {
  const child = spawn(process.execPath, [join(ROOT, 'scripts', 'demo.ts'), ...args], {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
  });
  const said = { output: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said.output += chunk;
    });
  }
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  t.teardown(async () => {
    child.kill('SIGTERM');
    await exit;
  });
  return { child, said, exit };
}

serial('the demo prints its help, and reports invalid arguments', async (t) => {
  const help = demo(t, {}, '--help');
  t.is(await help.exit, 0);
  t.regex(help.said.output, /^Usage: npm run demo/);
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const refusals: [Record<string, string>, string[], RegExp][] = [
    [
      { APP_PORT: String(port) },
      [],
      /^Port \d+ is taken\. Stop what listens there, or choose another one with APP_PORT\.$/m,
    ],
    [
      { APP_PORT: String(await freePort()), API_PORT: String(port) },
      [],
      /^Port \d+ is taken\. Stop what listens there, or choose another one with API_PORT\.$/m,
    ],
    [{ API_PORT: 'x' }, [], /^API_PORT must be a port, from 1 to 65535\.$/m],
    [{}, ['--loud'], /Unknown option '--loud'/],
  ];
  for (const [env, args, message] of refusals) {
    const refused = demo(t, env, ...args);
    t.is(await refused.exit, 1);
    t.regex(refused.said.output, message);
    t.notRegex(refused.said.output, /^ +at /m);
  }
});

onServer('both servers of the demo share one PostgreSQL database, and Ctrl-C ends both', async (t) => {
  await prepare(t);
  const postgres = await startPostgres();
  t.teardown(() => postgres.stop());
  const [appPort, apiPort] = [await freePort(), await freePort()];
  const directory = await mkdtemp(join(tmpdir(), 'todo-demo-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const { child, said, exit } = demo(t, {
    APP_PORT: String(appPort),
    API_PORT: String(apiPort),
    DATABASE_URL: await postgres.createDatabase(),
    DATA_DIR: directory,
  });
  while (!said.output.includes('Ctrl-C') && child.exitCode === null) await new Promise((next) => setTimeout(next, 50));
  const origin = `http://localhost:${appPort}`;
  t.true(said.output.includes(`Open   ${origin}`), said.output);
  t.true(said.output.includes(`MCP    http://localhost:${apiPort}/mcp `), said.output);

  const signUp = await fetch(`${origin}/api/auth/sign-up/email`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Origin: origin },
    body: JSON.stringify({ name: 'Ada', email: 'ada@example.com', password: PASSWORD }),
  });
  const { user } = (await signUp.json()) as { user: { id: string } };
  const cookie = signUp.headers.getSetCookie().map((line) => line.split(';')[0]);
  const answer = await fetch(`${origin}/api/auth/token`, { headers: { Cookie: cookie.join('; ') } });
  const { token } = (await answer.json()) as { token: string };
  const tasks = `http://localhost:${apiPort}/api/${user.id}/tasks`;
  const created = await documentedFetch(tasks, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: JSON.stringify({ title: 'Shared', priority: 'low', category: 'work' }),
  });
  t.is(created.status, 201);

  child.kill('SIGINT');
  t.is(await exit, 0);
  for (const url of [origin, tasks]) await t.throwsAsync(fetch(url), { instanceOf: TypeError });
});

if (process.env.SCREENSHOTS) {
  inBrowser('pictures for the README', async (t) => {
    const day = (offset: number) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
    const tasks = [
      { title: 'Return the library books', category: 'personal', priority: 'low', dueDate: day(-1) },
      { title: 'Water the plants', category: 'home', priority: 'low' },
      {
        title: 'Prepare the talk',
        description: 'Ten slides at the most. Start with the story of the lighthouse, and leave time for questions.',
        category: 'work',
        priority: 'high',
        dueDate: day(2),
      },
      { title: 'Book the train to Vienna', category: 'personal', dueDate: day(9) },
      {
        ...{ title: 'Buy milk and bread', category: 'home', dueDate: day(0) },
        recurrence: { rule: 'FREQ=WEEKLY', anchor: 'schedule', timeZone: 'Etc/UTC' },
      },
    ];
    const deleted = { title: 'Sort the photos', category: 'home', priority: 'low' };
    const pictures: [string, BrowserContextOptions][] = [
      ['tasks-light', { viewport: { width: 1000, height: 1080 } }],
      ['tasks-dark', { viewport: { width: 1000, height: 1080 }, colorScheme: 'dark' }],
      ['tasks-phone', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5 }],
    ];
    for (const [name, options] of pictures) {
      const page = await openTasks([...tasks, deleted], options);
      await done(page, 'Water the plants').check();
      await page.getByText('“Water the plants” completed.').waitFor();
      await page.getByRole('button', { name: 'Delete “Sort the photos”' }).click();
      await page.getByText('“Sort the photos” deleted.').waitFor();
      await page.mouse.move(0, 0);
      await page.evaluate('document.activeElement.blur(), scrollTo(0, 0)');
      await page.screenshot({ path: join(ROOT, 'docs', 'images', `${name}.png`) });
    }
    const page = await openTasks(tasks, { viewport: { width: 640, height: 900 } });
    await page.getByRole('button', { name: 'Edit “Prepare the talk”' }).click();
    await page.getByLabel('Title').fill(' ');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('.field .error').waitFor();
    await page.screenshot({ path: join(ROOT, 'docs', 'images', 'edit-dialog.png') });
    await page.keyboard.press('Escape');
    await done(page, 'Water the plants').check();
    await page.getByText('“Water the plants” completed.').waitFor();
    const call = await callerOf(page);
    await call('DELETE', '/trash');
    for (const old of [{ ...deleted, title: 'Renew the passport', description: null }, deleted]) {
      const { id } = (await call('POST', '/tasks', old)).body;
      await call('PUT', `/tasks/${id}`, { priority: 'medium' });
      await call('DELETE', `/tasks/${id}`);
    }
    const trash = await open({ storageState: ada, viewport: { width: 1000, height: 560 } });
    await trash.goto('/trash');
    await trash.getByText('History').first().click();
    await trash.getByText('Created as').waitFor();
    await trash.evaluate('document.activeElement.blur()');
    await trash.mouse.move(0, 0);
    await trash.screenshot({ path: join(ROOT, 'docs', 'images', 'trash.png') });
    const profile = await open({ storageState: ada, viewport: { width: 1000, height: 720 } });
    await profile.goto('/profile');
    await profile.getByRole('img', { name: '20 percent done' }).waitFor();
    await profile.screenshot({ path: join(ROOT, 'docs', 'images', 'profile.png') });
    t.pass();
  });
}
