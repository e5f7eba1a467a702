import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Delivery, EventSink, JournalEntry } from '@todo-backend/application';

/** Statuses that say that this event is wrong, whoever sends it and whenever. */
const REJECTED = new Set([400, 413, 415, 422]);

/**
 * Hands events on as CloudEvents 1.0 in the structured content mode of its HTTP binding, which Dapr, Knative and the
 * bridges to Kafka take: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md.
 * The extensions `partitionkey` and `sequence` keep the events of one user together and in order.
 *
 * @param url the sink's; every 2xx counts as taken, and a redirect is not followed
 * @param timeout milliseconds that the sink may take to be connected to and to answer
 */
export function cloudEventsSink(url: string, timeout = 5_000): EventSink {
  const target = new URL(url);
  const isSecure = target.protocol === 'https:';
  const { request, Agent } = isSecure ? https : http;
  const agent = new Agent({ keepAlive: true });
  return {
    publish(entry: JournalEntry): Promise<Delivery> {
      const body = JSON.stringify(toCloudEvent(entry));
      return new Promise((resolve) => {
        const signal = AbortSignal.timeout(timeout);
        const headers = {
          'Content-Type': 'application/cloudevents+json; charset=utf-8',
          'Content-Length': Buffer.byteLength(body),
        };
        // Not `fetch`, which does not tell whether there was a connection when the time was up.
        const sent = request(target, { method: 'POST', agent, headers, signal });
        let isConnected = false;
        sent.on('socket', (socket) => {
          const connected = () => {
            isConnected = true;
          };
          if (sent.reusedSocket) connected();
          else socket.once(isSecure ? 'secureConnect' : 'connect', connected);
        });
        sent.on('response', (response) => {
          resolve(deliveryOf(response));
          // The status has said all; what comes after it is only read to have the connection back.
          response.on('error', () => {}).resume();
        });
        sent.on('error', (error) => {
          const reason = signal.aborted ? `There was no answer within ${timeout} ms.` : reasonOf(error);
          resolve({ outcome: isConnected ? 'failed' : 'unreachable', reason });
        });
        sent.end(body);
      });
    },
  };
}

function deliveryOf({ statusCode: status = 0, headers }: IncomingMessage): Delivery {
  if (status >= 200 && status < 300) return { outcome: 'accepted' };
  const reason = `The sink answered ${status}.`;
  if (REJECTED.has(status)) return { outcome: 'rejected', reason };
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return { outcome: 'failed', reason, ...(seconds > 0 && { retryAfter: seconds * 1000 }) };
}

/** The event in the JSON format of CloudEvents; its `data` is the entry of the journal. */
function toCloudEvent(entry: JournalEntry) {
  return {
    specversion: '1.0',
    id: entry.id,
    source: '/todo-backend',
    type: entry.type,
    subject: entry.taskId,
    time: entry.time,
    datacontenttype: 'application/json',
    partitionkey: entry.userId,
    // Compared as texts: the width has to be fixed.
    sequence: String(entry.sequence).padStart(10, '0'),
    data: entry,
  };
}

function reasonOf(error: NodeJS.ErrnoException): string {
  // Where several addresses were tried, each has an error, and the whole no message.
  const { message } = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  return error.code === undefined || message.includes(error.code) ? message : `${message} (${error.code})`;
}
