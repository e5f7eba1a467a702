import { useEffect, useRef, useState } from 'react';
import { isAway } from './api';

const FIRST_RETRY = 1_000;
const LAST_RETRY = 5_000;

/** What was loaded, and how that stands. */
export interface Live<T> {
  /** What was loaded last; kept while it is loaded again, and while that fails. */
  readonly data: T | undefined;
  readonly error: unknown;
  readonly isLoading: boolean;
  reload(): void;
  /** Changes what was loaded, as it is known to have changed. What is being loaded may not know of it: that starts anew. */
  change(how: (data: T) => T): void;
}

/**
 * Loads, and loads again: when asked to, when somebody looks at the page again, and, as long as the API is away, by
 * itself until it is back.
 *
 * @param load has to stay the same function until something else is to be loaded
 */
export function useLive<T>(load: (signal: AbortSignal) => Promise<T>): Live<T> {
  const [data, setData] = useState<T>();
  const [error, setError] = useState<unknown>();
  const [isLoading, setLoading] = useState(true);
  const reload = useRef(() => {});
  const isUnderWay = useRef(false);

  useEffect(() => {
    let abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wait = FIRST_RETRY;

    function mark(loading: boolean) {
      isUnderWay.current = loading;
      setLoading(loading);
    }

    async function run() {
      abort.abort();
      clearTimeout(timer);
      abort = new AbortController();
      const { signal } = abort;
      mark(true);
      try {
        const loaded = await load(signal);
        if (signal.aborted) return;
        setData(loaded);
        setError(undefined);
        wait = FIRST_RETRY;
      } catch (error) {
        if (signal.aborted) return;
        setError(error);
        if (!isAway(error)) return mark(false);
        timer = setTimeout(run, wait);
        wait = Math.min(wait * 2, LAST_RETRY);
      }
      mark(false);
    }

    reload.current = () => void run();
    const seen = () => document.visibilityState === 'visible' && void run();
    document.addEventListener('visibilitychange', seen);
    addEventListener('online', seen);
    void run();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
      removeEventListener('online', seen);
    };
  }, [load]);

  return {
    data,
    error,
    isLoading,
    reload: () => reload.current(),
    change(how) {
      setData((data) => (data === undefined ? data : how(data)));
      if (isUnderWay.current) reload.current();
    },
  };
}
