'use client';

import { useSyncExternalStore } from 'react';

const FORMATS = {
  minute: new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }),
  month: new Intl.DateTimeFormat(undefined, { month: 'long', year: 'numeric' }),
};

interface LocalTimeProps {
  /** An instant, in ISO 8601. */
  readonly at: string;
  /** What is told of it. */
  readonly to?: keyof typeof FORMATS;
}

/** A time in the language and the time zone of the reader. The server knows neither, and leaves it to the browser. */
export function LocalTime({ at, to = 'minute' }: LocalTimeProps) {
  const isInBrowser = useSyncExternalStore(
    () => () => {},
    () => true,
    () => false,
  );
  return <time dateTime={at}>{isInBrowser && FORMATS[to].format(new Date(at))}</time>;
}
