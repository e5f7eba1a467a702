import { mkdtemp } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { freePort } from '../postgres.ts';
import { startProgram, until } from '../reliability/program.ts';

/** Opens a connection from an address of this machine. What is refused ends with an error, or just ends. */
function open(port: number, localAddress: string): Promise<Client> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    const client = { socket, received: '', isClosed: false };
    socket.on('data', (chunk) => {
      client.received += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      client.isClosed = true;
    });
    socket.once('connect', () => resolve(client));
  });
}

interface Client {
  readonly socket: Socket;
  readonly received: string;
  readonly isClosed: boolean;
}

async function isServed(client: Client): Promise<boolean> {
  client.socket.write('GET /health HTTP/1.1\r\nHost: api\r\n\r\n');
  await until(() => client.isClosed || client.received !== '');
  return client.received.startsWith('HTTP/1.1 200');
}

test('more connections than may be open are closed, logged and counted; those that are open go on', async (t) => {
  const metricsPort = await freePort();
  const program = await startProgram(t, {
    MAX_CONNECTIONS: '30',
    MAX_CONNECTIONS_PER_ADDRESS: '10',
    METRICS_PORT: String(metricsPort),
    DATA_DIR: await mkdtemp(join(tmpdir(), 'todo-data-')),
  });
  const refused = async (limit: string) => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return Number(new RegExp(`^todo_connections_refused_total\\{limit="${limit}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
  };
  t.is(await refused('all'), 0);

  const many = await Promise.all(Array.from({ length: 25 }, () => open(program.port, '127.0.0.2')));
  await until(async () => (await refused('address')) >= 15);
  const served = await Promise.all(many.map(isServed));
  t.is(served.filter(Boolean).length, 10, 'of one address');

  const others = await Promise.all(Array.from({ length: 25 }, (_, i) => open(program.port, `127.0.0.${3 + (i % 5)}`)));
  t.true((await Promise.all(others.map(isServed))).filter(Boolean).length >= 15, 'others have their share');
  await until(async () => (await refused('all')) > 0);
  await until(() => program.log().includes('refused a connection: too many are open'));

  for (const { socket } of [...many, ...others]) socket.destroy();
  await until(async () => (await fetch(`${program.url}/health`).catch(() => ({ ok: false }))).ok);
  t.is(await program.end('SIGTERM'), 0);
});
