'use client';

import { type ReactNode, useCallback, useMemo, useState } from 'react';
import { Away } from '@/components/away';
import { ByWhom } from '@/components/by-whom';
import { Dialog } from '@/components/dialog';
import { History } from '@/components/history';
import { LocalTime } from '@/components/local-time';
import { Notices } from '@/components/notices';
import { Quoted } from '@/components/quoted';
import { type CallOptions, connect, explain, newIdempotencyKey, type TodoClient, type TrashedTask } from '@/lib/api';
import { useFocusThatStays } from '@/lib/use-focus';
import { useLive } from '@/lib/use-live';

/** How many tasks are shown at first, and how many more each time. */
const PART = 50;

interface TrashProps {
  readonly userId: string;
  readonly backendUrl: string;
}

interface Loaded {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
}

type Item = TrashedTask & { readonly id: string };

/** What was deleted, for as long as it can be restored. */
export function Trash({ userId, backendUrl }: TrashProps) {
  const api = useMemo(() => connect(backendUrl), [backendUrl]);
  const [wanted, setWanted] = useState(PART);
  const load = useCallback((options: CallOptions) => loadTrash(api, userId, wanted, options), [api, userId, wanted]);
  const { data, change, ...state } = useLive(api, userId, load);
  const [said, setSaid] = useState<{ readonly id: string; readonly text: ReactNode }>();
  const [problem, setProblem] = useState<ReactNode>();
  /** What is to be erased when that is confirmed. */
  const [toErase, setToErase] = useState<Item | 'everything'>();
  const { ref, onFocus } = useFocusThatStays(data?.items);
  const endSaid = useCallback(() => setSaid(undefined), []);

  /**
   * Says what became of it. It is gone from here at once; what became of it when that fails is asked for.
   *
   * @param gone whether something is not in the trash any more afterwards
   */
  async function attempt(gone: (item: Item) => boolean, name: ReactNode, done: string, work: () => Promise<unknown>) {
    setToErase(undefined);
    setSaid(undefined);
    setProblem(undefined);
    change(({ items, hasMore }) => ({ items: items.filter((item) => !gone(item)), hasMore }));
    try {
      await work();
      setSaid({
        id: newIdempotencyKey(),
        text: (
          <>
            {name} {done}.
          </>
        ),
      });
    } catch (error) {
      setProblem(
        <>
          {name} could not be {done}. {explain(error)}
        </>,
      );
    }
    state.reload();
  }

  async function erase(): Promise<void> {
    if (toErase === undefined) return;
    if (toErase === 'everything')
      await attempt(
        () => true,
        'Everything',
        'erased',
        () => api.emptyTrash(userId),
      );
    else await attempt(is(toErase), nameOf(toErase), 'erased', () => api.erase(userId, toErase.id));
  }

  return (
    <>
      <div className="with-action">
        <h1 className="in-navigation">Trash</h1>
        {data && data.items.length > 0 && (
          <button type="button" className="quiet" onClick={() => setToErase('everything')}>
            Empty the trash…
          </button>
        )}
      </div>
      <Away {...state} />
      <Notices news={said} onEndNews={endSaid} problem={problem} onDismiss={() => setProblem(undefined)} />
      <section ref={ref} aria-label="Deleted tasks" aria-busy={state.isLoading} tabIndex={-1} onFocus={onFocus}>
        {data?.items.length === 0 && <p className="empty">The trash is empty.</p>}
        <ul className="tasks">
          {data?.items.map((item) => (
            <Row
              key={item.id}
              item={item}
              api={api}
              userId={userId}
              onRestore={() => attempt(is(item), nameOf(item), 'restored', () => api.restore(userId, item.id))}
              onErase={() => setToErase(item)}
            />
          ))}
        </ul>
        {data?.hasMore && (
          <button type="button" className="quiet" onClick={() => setWanted((wanted) => wanted + PART)}>
            Show more
          </button>
        )}
      </section>
      <Dialog
        title={toErase === 'everything' ? 'Empty the trash?' : 'Erase the task for good?'}
        isOpen={toErase !== undefined}
        onClose={() => setToErase(undefined)}
      >
        <p>
          {toErase === 'everything' ? 'All that is in the trash' : toErase && nameOf(toErase)} will be erased, also from
          the history. Nobody can bring it back.
        </p>
        <div className="actions">
          <button type="button" className="quiet" onClick={() => setToErase(undefined)}>
            Cancel
          </button>
          <button type="button" className="danger" onClick={erase}>
            Erase for good
          </button>
        </div>
      </Dialog>
    </>
  );
}

interface RowProps {
  readonly item: Item;
  readonly api: TodoClient;
  readonly userId: string;
  readonly onRestore: () => void;
  readonly onErase: () => void;
}

function Row({ item, api, userId, onRestore, onErase }: RowProps) {
  const { id, task, deletedAt, deletedBy, restorableUntil } = item;
  return (
    <li className="task is-deleted" data-item={id}>
      <p className="title" dir="auto">
        {task.title}
      </p>
      <div className="row-words">
        <button type="button" className="quiet" aria-label={`Restore “${task.title}”`} onClick={onRestore}>
          Restore
        </button>
        <button type="button" className="quiet" aria-label={`Erase “${task.title}” for good…`} onClick={onErase}>
          Erase…
        </button>
      </div>
      <p className="about">
        <span>
          Deleted by <ByWhom actor={deletedBy} userId={userId} /> · <LocalTime at={deletedAt} />
        </span>
        <span>
          Can be restored until <LocalTime at={restorableUntil} />
        </span>
      </p>
      {task.tags.length > 0 && (
        <ul className="tags" aria-label={`Tags of “${task.title}”`}>
          {task.tags.map((tag) => (
            <li key={tag} className="chip">
              <bdi>{tag}</bdi>
            </li>
          ))}
        </ul>
      )}
      <History api={api} userId={userId} taskId={id} />
    </li>
  );
}

function nameOf({ task }: Item): ReactNode {
  return <Quoted text={task.title} />;
}

function is({ id }: Item): (item: Item) => boolean {
  return (item) => item.id === id;
}

/** As many as are wanted, where there are so many. */
async function loadTrash(api: TodoClient, userId: string, wanted: number, options: CallOptions): Promise<Loaded> {
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: PART, ...(cursor !== undefined && { cursor }) };
    // The position is that of the first part: what has changed since then is told again.
    const page = await api.listTrashPage(userId, query, cursor === undefined ? options : withoutPosition(options));
    items.push(...page.tasks.map((item) => ({ ...item, id: item.task.id })));
    cursor = page.next;
  } while (cursor !== undefined && items.length < wanted);
  return { items, hasMore: cursor !== undefined };
}

function withoutPosition({ onPosition, ...options }: CallOptions): CallOptions {
  return options;
}
