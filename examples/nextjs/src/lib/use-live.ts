import { useCallback, useEffect, useRef, useState } from 'react';
import { type CallOptions, isAway, type StreamedChange, type TodoClient } from './api';

const FIRST_RETRY = 1_000;
const LAST_RETRY = 5_000;

/** Milliseconds in which changes are gathered before all is loaded again because of them. */
const GATHERING = 200;

/** What was loaded, and how that stands. */
export interface Live<T> {
  /** What was loaded last; kept while it is loaded again, and while that fails. */
  readonly data: T | undefined;
  readonly error: unknown;
  readonly isLoading: boolean;
  reload(): void;
  /** Loads again in a moment: once for all who ask until then. */
  refresh(): void;
  /** Changes what was loaded, as it is known to have changed, and also what is being loaded: that may not know of it. */
  change(how: (data: T) => T): void;
}

/**
 * Loads, and watches for changes from there on, also those of other tabs and devices. Loads again when asked to, when
 * somebody looks at the page again, and, as long as the API is away, by itself until it is back.
 *
 * @param load has to stay the same function until something else is to be loaded; its first request takes the options
 * @param onChange what a change means for what was loaded; by default it is loaded again
 */
export function useLive<T>(
  api: TodoClient,
  userId: string,
  load: (options: CallOptions) => Promise<T>,
  onChange?: (change: StreamedChange) => void,
): Live<T> {
  const [data, setData] = useState<T>();
  const [error, setError] = useState<unknown>();
  const [isLoading, setLoading] = useState(true);
  const controls = useRef({ reload() {}, refresh() {} });
  /** What has changed since the loading began, when it is under way. */
  const missed = useRef<((data: T) => T)[]>(undefined);
  const heard = useRef(onChange);
  heard.current = onChange;

  useEffect(() => {
    let loading = new AbortController();
    let watching: AbortController | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let gathering: ReturnType<typeof setTimeout> | undefined;
    let wait = FIRST_RETRY;

    async function run() {
      loading.abort();
      clearTimeout(timer);
      loading = new AbortController();
      const { signal } = loading;
      const changes: ((data: T) => T)[] = [];
      let position: string | undefined;
      missed.current = changes;
      setLoading(true);
      try {
        const onPosition = (at: string) => {
          position = at;
        };
        const loaded = await load({ signal, onPosition });
        if (signal.aborted) return;
        setData(changes.reduce<T>((data, how) => how(data), loaded));
        setError(undefined);
        wait = FIRST_RETRY;
        if (position !== undefined) void watch(position);
      } catch (error) {
        if (signal.aborted) return;
        setError(error);
        if (isAway(error)) {
          timer = setTimeout(run, wait);
          wait = Math.min(wait * 2, LAST_RETRY);
        }
      }
      missed.current = undefined;
      setLoading(false);
    }

    /** Goes on over lost connections by itself. */
    async function watch(since: string) {
      // A browser has six connections for all of its tabs: those that nobody sees do without.
      if (watching || document.visibilityState === 'hidden') return;
      watching = new AbortController();
      const { signal } = watching;
      try {
        for await (const change of api.watch(userId, { since, signal, onResync: () => void run() })) {
          if (heard.current) heard.current(change);
          else refresh();
        }
      } catch {
        // Refused for good, such as by an API without this: without it, the page is loaded as often as it is looked at.
      }
    }

    function refresh() {
      gathering ??= setTimeout(() => {
        gathering = undefined;
        // Changes that never end do not keep what is being loaded from arriving.
        if (missed.current) refresh();
        else void run();
      }, GATHERING);
    }

    function rest() {
      watching?.abort();
      watching = undefined;
    }

    function look() {
      rest();
      if (document.visibilityState === 'visible') void run();
    }

    controls.current = { reload: () => void run(), refresh };
    document.addEventListener('visibilitychange', look);
    addEventListener('online', look);
    void run();
    return () => {
      loading.abort();
      rest();
      clearTimeout(timer);
      clearTimeout(gathering);
      document.removeEventListener('visibilitychange', look);
      removeEventListener('online', look);
    };
  }, [api, userId, load]);

  return {
    data,
    error,
    isLoading,
    reload: useCallback(() => controls.current.reload(), []),
    refresh: useCallback(() => controls.current.refresh(), []),
    change: useCallback((how: (data: T) => T) => {
      setData((data) => (data === undefined ? data : how(data)));
      missed.current?.push(how);
    }, []),
  };
}
