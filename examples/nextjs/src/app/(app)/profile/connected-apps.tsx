'use client';

import { type ReactNode, useCallback, useMemo, useState } from 'react';
import { Dialog } from '@/components/dialog';
import { LocalTime } from '@/components/local-time';
import { Notices } from '@/components/notices';
import { Quoted } from '@/components/quoted';
import { connect, explain, isGone, newIdempotencyKey, type TodoClient, type UndoResult } from '@/lib/api';
import type { App } from '@/lib/apps';
import { ACCESS_TOKEN_MINUTES } from '@/lib/scopes';
import { useFocusThatStays } from '@/lib/use-focus';
import { disconnect } from './disconnect';
import { UndoDialog } from './undo-dialog';

interface ConnectedAppsProps {
  readonly apps: readonly App[];
  readonly userId: string;
  readonly backendUrl: string;
}

/** The apps that may act for the user. What those have done that may not any more can still be undone. */
export function ConnectedApps({ apps, userId, backendUrl }: ConnectedAppsProps) {
  const api = useMemo(() => connect(backendUrl), [backendUrl]);
  const [toDisconnect, setToDisconnect] = useState<App>();
  const [toUndo, setToUndo] = useState<App>();
  const [said, setSaid] = useState<{ readonly id: string; readonly text: ReactNode }>();
  const [problem, setProblem] = useState<ReactNode>();
  const endSaid = useCallback(() => setSaid(undefined), []);
  const connected = useMemo(() => apps.filter(({ scopes }) => scopes.length > 0), [apps]);
  const disconnected = apps.filter(({ scopes }) => scopes.length === 0);
  const { ref, onFocus } = useFocusThatStays(connected);

  /** @param work gives what is said when it is done */
  async function attempt(failed: ReactNode, work: () => Promise<ReactNode>): Promise<void> {
    setToDisconnect(undefined);
    setToUndo(undefined);
    setSaid(undefined);
    setProblem(undefined);
    try {
      setSaid({ id: newIdempotencyKey(), text: await work() });
    } catch (error) {
      setProblem(
        <>
          {failed} {explain(error)}
        </>,
      );
    }
  }

  const disconnectIt = ({ id, name }: App) =>
    attempt(
      <>
        <Quoted text={name} /> could not be disconnected.
      </>,
      async () => {
        await disconnect(id);
        return (
          <>
            <Quoted text={name} /> disconnected.
          </>
        );
      },
    );

  const undoIt = ({ id, name }: App, since: Date) =>
    attempt(
      <>
        What <Quoted text={name} /> did could not be undone.
      </>,
      async () => outcome(await undoAll(api, userId, id, since)),
    );

  return (
    <section ref={ref} className="apps" aria-labelledby="apps" tabIndex={-1} onFocus={onFocus}>
      <h2 id="apps">Connected apps</h2>
      <Notices news={said} onEndNews={endSaid} problem={problem} onDismiss={() => setProblem(undefined)} />
      {connected.length === 0 && <p className="hint">No app can see or change your tasks.</p>}
      <ul className="tasks">
        {connected.map((app) => (
          <Row key={app.id} app={app} onUndo={setToUndo} onDisconnect={setToDisconnect} />
        ))}
      </ul>
      {disconnected.length > 0 && (
        <details className="past">
          <summary>Disconnected</summary>
          <ul className="tasks">
            {disconnected.map((app) => (
              <Row key={app.id} app={app} onUndo={setToUndo} />
            ))}
          </ul>
        </details>
      )}
      <Dialog
        title="Disconnect the app?"
        isOpen={toDisconnect !== undefined}
        onClose={() => setToDisconnect(undefined)}
      >
        <p>
          {toDisconnect && <Quoted text={toDisconnect.name} />} has to ask you again before it gets in again. What it is
          doing now it can go on with for up to {ACCESS_TOKEN_MINUTES} minutes. What it did stays, and can be undone
          here.
        </p>
        <div className="actions">
          <button type="button" className="quiet" onClick={() => setToDisconnect(undefined)}>
            Cancel
          </button>
          <button type="button" className="danger" onClick={() => toDisconnect && disconnectIt(toDisconnect)}>
            Disconnect
          </button>
        </div>
      </Dialog>
      <UndoDialog app={toUndo} onClose={() => setToUndo(undefined)} onUndo={undoIt} />
    </section>
  );
}

interface RowProps {
  readonly app: App;
  readonly onUndo: (app: App) => void;
  readonly onDisconnect?: (app: App) => void;
}

function Row({ app, onUndo, onDisconnect }: RowProps) {
  const { id, name, scopes, since } = app;
  return (
    <li className="task is-deleted" data-item={id}>
      <p className="title">
        <bdi>{name}</bdi>
      </p>
      <div className="row-words">
        <button type="button" className="quiet" aria-label={`Undo what “${name}” did…`} onClick={() => onUndo(app)}>
          Undo…
        </button>
        {onDisconnect && (
          <button
            type="button"
            className="quiet"
            aria-label={`Disconnect “${name}”…`}
            onClick={() => onDisconnect(app)}
          >
            Disconnect…
          </button>
        )}
      </div>
      <p className="about">
        <span>{ability(scopes)}</span>
        <span>
          {scopes.length > 0 ? 'Allowed' : 'Disconnected'} <LocalTime at={since} />
        </span>
      </p>
    </li>
  );
}

/** What an app may do, in short. */
function ability(scopes: readonly string[]): string {
  const [canSee, canChange] = [scopes.includes('todo:read'), scopes.includes('todo:write')];
  if (canSee && canChange) return 'Sees and changes your tasks';
  if (canSee) return 'Sees your tasks';
  return canChange ? 'Changes your tasks' : 'No access to your tasks';
}

/** Takes back what an app did, as far as nobody has changed it since. */
async function undoAll(api: TodoClient, userId: string, app: string, since: Date): Promise<readonly UndoResult[]> {
  try {
    return await api.undo(userId, { actor: app, since: since.toISOString(), atomic: false });
  } catch (error) {
    // It did nothing in that time.
    if (isGone(error)) return [];
    throw error;
  }
}

function outcome(results: readonly UndoResult[]): string {
  const count = (outcome: UndoResult['outcome']) => results.filter((result) => result.outcome === outcome).length;
  const [undone, conflicts] = [count('undone'), count('conflict')];
  const sentences = [
    undone === 0 ? 'There was nothing to undo.' : `${undone} ${undone === 1 ? 'change' : 'changes'} undone.`,
    conflicts > 0 && `${conflicts} left as ${conflicts === 1 ? 'it is' : 'they are'}: the tasks were changed since.`,
  ];
  return sentences.filter(Boolean).join(' ');
}
