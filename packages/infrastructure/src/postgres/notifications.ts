/** The channel of `NOTIFY` that servers tell each other of changes on. */
const CHANNEL = 'todo_changes';

/** Bytes that PostgreSQL takes for a payload. */
const LONGEST_PAYLOAD = 7_999;

/** A connection of its own for `LISTEN` and `NOTIFY`. It touches no table. */
export interface Notifications {
  /** Sends texts to all who listen, in one transaction. Those that are too long are left out. */
  send(texts: readonly string[]): Promise<void>;
  /** Begins or ends to receive what others send. */
  listen(isListening: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Who hears of notifications. */
export interface NotificationListener {
  /** Something that another connection has sent. */
  readonly onPayload: (text: string) => void;
  /** The connection is lost. */
  readonly onLost: (error: Error | undefined) => void;
}

/** The part of the driver's client that is used here. */
export interface NotificationClient {
  connect(): Promise<unknown>;
  query(text: string, values?: unknown[]): Promise<unknown>;
  end(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  on(event: 'notification', listener: (message: { processId: number; payload?: string }) => void): unknown;
  readonly processID: number | null;
}

/** Connects for notifications. */
export async function openNotifications(
  client: NotificationClient,
  { onPayload, onLost }: NotificationListener,
): Promise<Notifications> {
  client.on('error', onLost);
  client.on('end', () => onLost(undefined));
  client.on('notification', ({ processId, payload = '' }) => {
    if (processId === client.processID) return;
    for (const text of textsOf(payload)) onPayload(text);
  });
  try {
    await client.connect();
    // Hints may be lost, so nobody has to wait for the disk.
    await client.query('set synchronous_commit = off');
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
  return {
    async send(texts) {
      await client.query('select pg_notify($1, payload) from unnest($2::text[]) as payload', [CHANNEL, packed(texts)]);
    },
    async listen(isListening) {
      await client.query(`${isListening ? 'listen' : 'unlisten'} ${CHANNEL}`);
    },
    close: () => client.end(),
  };
}

/** Texts in as few payloads as hold them, each a JSON array: a notification costs more than what is in it. */
function packed(texts: readonly string[]): string[] {
  const payloads: string[][] = [];
  let size = LONGEST_PAYLOAD;
  for (const text of texts.map((text) => JSON.stringify(text))) {
    const length = Buffer.byteLength(text) + 1;
    if (length >= LONGEST_PAYLOAD) continue;
    if (size + length > LONGEST_PAYLOAD) {
      payloads.push([]);
      size = 1;
    }
    payloads.at(-1)?.push(text);
    size += length;
  }
  return payloads.map((payload) => `[${payload}]`);
}

/** The texts of a payload; none where it is not one of these, because everybody may send to the channel. */
function textsOf(payload: string): string[] {
  try {
    const texts: unknown = JSON.parse(payload);
    return Array.isArray(texts) ? texts.map(String) : [];
  } catch {
    return [];
  }
}
