import type { Delivery, EventSink, JournalEntry } from '@todo-backend/application';
import { isUnreachable } from '../network-errors.js';

/** Statuses that mean that the event itself is wrong, so that retrying is useless. */
const REJECTED = new Set([400, 413, 415, 422]);

/** Additional error codes of `fetch` for connections that could not be made. */
const UNREACHABLE_BY_FETCH = new Set(['EPROTO', 'UND_ERR_CONNECT_TIMEOUT']);

/**
 * Delivers events as CloudEvents 1.0 in the structured content mode of its HTTP binding, which Dapr, Knative and Kafka
 * bridges accept: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md.
 * The extensions `partitionkey` and `sequence` keep the events of one user together and in order.
 *
 * @param url of the sink; every 2xx counts as accepted, and redirects are not followed
 * @param timeout milliseconds that the sink may take to answer
 */
export function cloudEventsSink(url: string, timeout = 5_000): EventSink {
  return {
    async publish(entry: JournalEntry): Promise<Delivery> {
      let response: Response;
      try {
        response = await fetch(url, {
          method: 'POST',
          headers: { 'Content-Type': 'application/cloudevents+json; charset=utf-8' },
          body: JSON.stringify(toCloudEvent(entry)),
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
