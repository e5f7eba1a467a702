import type { Delivery, EventSink, JournalEntry } from '@todo-backend/application';

/** Milliseconds that the sink may take to answer. */
const ANSWER_TIMEOUT = 5_000;

/** Statuses that say that this event is wrong, whoever sends it and whenever. */
const REJECTED = new Set([400, 413, 415, 422]);

/**
 * Hands events on as CloudEvents 1.0 in the structured content mode of its HTTP binding, which Dapr, Knative and the
 * bridges to Kafka take: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md.
 * The extensions `partitionkey` and `sequence` keep the events of one user together and in order.
 *
 * @param url the sink's; every 2xx counts as taken
 */
export function cloudEventsSink(url: string): EventSink {
  return {
    async publish(entry: JournalEntry): Promise<Delivery> {
      let response: Response;
      try {
        response = await fetch(url, {
          method: 'POST',
          headers: { 'Content-Type': 'application/cloudevents+json; charset=utf-8' },
          body: JSON.stringify(toCloudEvent(entry)),
          redirect: 'error',
          signal: AbortSignal.timeout(ANSWER_TIMEOUT),
        });
        await response.body?.cancel();
      } catch (error) {
        return { outcome: 'unreachable', reason: reasonOf(error) };
      }
      if (response.ok) return { outcome: 'accepted' };
      const reason = `The sink answered ${response.status}.`;
      if (REJECTED.has(response.status)) return { outcome: 'rejected', reason };
      const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
      return { outcome: 'failed', reason, ...(seconds > 0 && { retryAfter: seconds * 1000 }) };
    },
  };
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

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: unknown } };
  return typeof cause?.code === 'string' ? `${message} (${cause.code})` : message;
}
