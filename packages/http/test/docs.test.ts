import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { Page } from 'playwright-core';
import { browserTest, openBrowser } from '../../../test/browser.ts';
import { assertProblem, type Host, onMemory, type Person, person, shared } from './hosts.ts';

const opened = shared(() => onMemory());

test('the page has its own content security policy, and no inline code', async (t) => {
  const { status, headers, text } = await (await opened()).call('GET', '/docs');
  t.is(status, 200);
  t.is(headers.get('Content-Type'), 'text/html; charset=utf-8');
  const policy = headers.get('Content-Security-Policy')?.split(';') ?? [];
  t.true(policy.includes("default-src 'none'"));
  t.true(policy.includes("script-src 'self'"));
  t.true(policy.includes("style-src 'self'"));
  t.true(policy.includes("frame-ancestors 'none'"));
  t.notRegex(policy.join(), /unsafe/);
  t.notRegex(text, /https?:|<style|<script>| on\w+=| style=/);
});

test('the files of the page are cached forever only when requested with the version of this server', async (t) => {
  const host = await opened();
  const { text } = await host.call('GET', '/docs');
  const names = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name = '']) => name);
  t.is(names.length, 4);
  for (const name of names) {
    const { pathname, search } = new URL(name, `${host.url}/docs`);
    t.is(search, '?v=test');
    const kept = await host.call('GET', pathname + search);
    t.is(kept.status, 200, name);
    t.is(kept.headers.get('Cache-Control'), 'public, max-age=31536000, immutable');
    t.not(kept.text.length, 0);
    for (const other of ['', '?v=', '?v=another', '?v=test&v=test']) {
      t.is((await host.call('GET', pathname + other)).headers.get('Cache-Control'), 'private, no-cache');
    }
  }
});

test('no other file of that directory is served', async (t) => {
  const host = await opened();
  for (const path of [
    '/docs/',
    '/docs/package.json',
    '/docs/index.html',
    '/docs/swagger-ui.js',
    '/docs/..%2fpackage.json',
    '/docs/%2e%2e%2fpackage.json',
    '/docs/..%5cpackage.json',
    '/docs/swagger-ui.css%00',
    '/docs/SWAGGER-UI.CSS',
    '/docs/__proto__',
    '/docs/%2fetc%2fpasswd',
    '/docs/x/swagger-ui.css',
  ]) {
    assertProblem(t, await host.call('GET', path), 404);
  }
  assertProblem(t, await host.call('POST', '/docs/swagger-ui.css'), 405);
});

/** Signs in on the page, and lists the tasks there. */
async function listTasks(page: Page, url: string, { id, token }: Person) {
  await page.goto(url);
  await page.getByRole('button', { name: 'Authorize' }).click();
  const dialog = page.locator('.auth-container');
  await dialog.getByRole('textbox').fill(token);
  await dialog.getByRole('button', { name: 'Apply credentials' }).click();
  await dialog.getByRole('button', { name: 'Close' }).click();

  const operation = page.locator('.opblock', { hasText: 'List tasks' });
  await operation.getByText('List tasks').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByPlaceholder('user_id').fill(id);
  await operation.getByRole('button', { name: 'Execute' }).click();
  const answer = operation.locator('.live-responses-table');
  await answer.waitFor();
  return {
    status: await answer.locator('.response-col_status').last().innerText(),
    text: await answer.locator('.response-col_description pre').first().innerText(),
  };
}

/** A proxy that serves the host below a path. */
async function proxyBelow(path: string, host: Host): Promise<Server> {
  const proxy = createServer((incoming, outgoing) => {
    const { method, url = '', headers } = incoming;
    if (!url.startsWith(`${path}/`)) {
      outgoing.writeHead(404).end();
      return;
    }
    const sent = request(host.url + url.slice(path.length), { method: method ?? 'GET', headers }, (answer) => {
      answer.pipe(outgoing.writeHead(answer.statusCode ?? 502, answer.headers));
    });
    incoming.pipe(sent);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  return proxy;
}

browserTest(test)('in a browser, behind a proxy, below another path: list tasks', async (t) => {
  t.timeout(120_000);
  const host = await opened();
  const bob = await person(host, 'bob');
  await bob.create({ title: 'Seen through the proxy' });
  const proxy = await proxyBelow('/todo', host);
  const browser = await openBrowser();
  t.teardown(async () => {
    await browser.close();
    proxy.close();
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(100_000);
  const { port } = proxy.address() as AddressInfo;
  const { status, text } = await listTasks(page, `http://127.0.0.1:${port}/todo/docs`, bob);
  t.is(status, '200');
  t.is(JSON.parse(text)[0].title, 'Seen through the proxy');
});

browserTest(test)('in a browser: sign in with a token, and list tasks', async (t) => {
  t.timeout(120_000);
  const host: Host = await opened();
  const alice = await person(host, 'alice');
  await alice.create({ title: 'Seen on the page' });

  const browser = await openBrowser();
  t.teardown(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(100_000);
  const complaints: string[] = [];
  const requests: URL[] = [];
  // Violations of the policy are reported here too.
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on('request', (request) => requests.push(new URL(request.url())));

  const { status, text } = await listTasks(page, `${host.url}/docs`, alice);
  t.is(status, '200');
  t.is(JSON.parse(text)[0].title, 'Seen on the page');

  t.deepEqual(complaints, []);
  t.deepEqual(
    [...new Set(requests.filter(({ protocol }) => protocol !== 'data:').map(({ origin }) => origin))],
    [host.url],
  );
  t.true(requests.some(({ pathname }) => pathname === '/api/alice/tasks'));
  t.is(await page.evaluate(() => localStorage.length + sessionStorage.length), 0, 'the token is kept nowhere');

  await page.reload();
  await page.locator('.opblock').first().waitFor();
  t.is(await page.locator('.authorization__btn.locked, .btn.authorize.locked').count(), 0, 'and gone with the page');
});
