import { Temporal } from 'temporal-polyfill';
import * as v from 'valibot';

const PATTERN = '^[A-Za-z][\\w+/-]{0,63}$';

const PROBLEM = 'Time zone must be the name of an IANA time zone, such as Europe/Berlin.';

/** The name of an IANA time zone. */
export function timeZone(description: string) {
  return v.pipe(
    v.string(PROBLEM),
    v.check(isTimeZone, PROBLEM),
    v.metadata({ description, examples: ['Europe/Berlin'], pattern: PATTERN }),
  );
}

/** Names that were looked up: that takes longer than all other checks of a task. */
const known = new Set<string>();

const MAX_KNOWN = 1_000;

/** Whether there is an IANA time zone of this name. */
export function isTimeZone(name: string): boolean {
  if (known.has(name)) return true;
  // An offset is none: it does not say what the clocks of a place do.
  if (!new RegExp(PATTERN).test(name)) return false;
  try {
    // Not `Intl`, which also takes abbreviations such as PST: dates could not be computed by them.
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
  } catch {
    return false;
  }
  if (known.size < MAX_KNOWN) known.add(name);
  return true;
}
