import type { Clock, Delivery, EventSink, JournalEntry } from '@todo-backend/application';
import { timestamp } from '@todo-backend/domain';
import { Webhook } from 'standardwebhooks';
import { isUnreachable } from '../network-errors.js';

/** Statuses that mean that the event itself is wrong, so that retrying is useless. */
const REJECTED = new Set([400, 413, 415, 422]);

/** Additional error codes of `fetch` for connections that could not be made. */
const UNREACHABLE_BY_FETCH = new Set(['EPROTO', 'UND_ERR_CONNECT_TIMEOUT']);

/** How {@link cloudEventsSink} delivers. */
export interface CloudEventsSinkOptions {
  /** Milliseconds that the sink may take to answer. Default 5,000. */
  readonly timeout?: number;
  /**
   * The secrets that sign each delivery, as `whsec_` and base64: one, or two while they are rotated. Without any,
   * deliveries are not signed.
   */
  readonly secrets?: readonly string[];
  /** Tells the time of an attempt, which is signed too. Default: the time of this machine. */
  readonly clock?: Clock;
}

/**
 * Delivers events as CloudEvents 1.0 in the structured content mode of its HTTP binding, which Dapr, Knative and Kafka
 * bridges accept: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md.
 * The extensions `partitionkey` and `sequence` keep the events of one user together and in order.
 *
 * With secrets, each delivery is signed as Standard Webhooks 1.0.0 says, so that the receiver can check where it comes
 * from: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
 *
 * @param url of the sink; every 2xx counts as accepted, and redirects are not followed
 * @throws `Error` where a secret is not base64
 */
export function cloudEventsSink(
  url: string,
  { timeout = 5_000, secrets = [], clock = () => timestamp(new Date()) }: CloudEventsSinkOptions = {},
): EventSink {
  const webhooks = secrets.map((secret) => new Webhook(secret));

  /** The headers that prove the origin of a body: one signature for each secret, and none without secrets. */
  function signed(id: string, body: string): Record<string, string> {
    if (webhooks.length === 0) return {};
    const time = new Date(clock());
    return {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(time.getTime() / 1000)),
      'webhook-signature': webhooks.map((webhook) => webhook.sign(id, time, body)).join(' '),
    };
  }

  return {
    async publish(entry: JournalEntry): Promise<Delivery> {
      // Serialized once: what is signed is what is sent.
      const body = JSON.stringify(toCloudEvent(entry));
      let response: Response;
      try {
        response = await fetch(url, {
          method: 'POST',
          headers: { 'Content-Type': 'application/cloudevents+json; charset=utf-8', ...signed(entry.id, body) },
          body,
          redirect: 'manual',
          signal: AbortSignal.timeout(timeout),
        });
      } catch (error) {
        return deliveryOf(error as Error, timeout);
      }
      // Only the status matters, so an error while discarding the body is ignored.
      await response.body?.cancel().catch(() => {});
      if (response.ok) return { outcome: 'accepted' };
      const reason = `The sink answered ${response.status}.`;
      if (REJECTED.has(response.status)) return { outcome: 'rejected', reason };
      const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
      return { outcome: 'failed', reason, ...(seconds > 0 && { retryAfter: seconds * 1000 }) };
    },
  };
}

function deliveryOf(error: Error, timeout: number): Delivery {
  if (error.name === 'TimeoutError') return { outcome: 'failed', reason: `There was no answer within ${timeout} ms.` };
  const { code } = (error.cause ?? {}) as { code?: unknown };
  if (typeof code !== 'string') return { outcome: 'failed', reason: error.message };
  const outcome = isUnreachable(code) || UNREACHABLE_BY_FETCH.has(code) ? 'unreachable' : 'failed';
  return { outcome, reason: `${error.message} (${code})` };
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
    // Fixed width, because CloudEvents compares sequences as strings.
    sequence: String(entry.sequence).padStart(10, '0'),
    data: entry,
  };
}
