'use client';

import { type ReactNode, useMemo, useRef, useState } from 'react';
import { Quoted } from '@/components/quoted';
import { connect, explain, isRefused, newIdempotencyKey, TodoApiError } from '@/lib/api';
import { dayIn } from '@/lib/due-date';

/** Milliseconds that thousands of tasks may take. */
const PATIENCE = 120_000;

/** How many of the problems of a file are listed. */
const MOST_PROBLEMS = 5;

/** All tasks as a file, and the tasks of such a file. */
export function YourData({ userId, backendUrl }: { readonly userId: string; readonly backendUrl: string }) {
  const api = useMemo(() => connect(backendUrl, PATIENCE), [backendUrl]);
  const [isBusy, setBusy] = useState(false);
  const [said, setSaid] = useState<ReactNode>();
  const [problem, setProblem] = useState<ReactNode>();
  /** The import that can be undone. */
  const [imported, setImported] = useState<string>();
  /** What was sent without an answer: the API may have it all the same. Sent again with its key, it happens once. */
  const lost = useRef<{ readonly text: string; readonly key: string }>(undefined);
  const input = useRef<HTMLInputElement>(null);
  const importButton = useRef<HTMLButtonElement>(null);

  /** @param work gives what is said when it is done */
  async function attempt(failed: ReactNode, work: () => Promise<ReactNode>): Promise<void> {
    if (isBusy) return;
    setBusy(true);
    setSaid(undefined);
    setProblem(undefined);
    setImported(undefined);
    try {
      setSaid(await work());
    } catch (error) {
      setProblem(
        <>
          {failed} {error instanceof UnreadableFile ? error.message : explain(error)} <Problems of={error} />
        </>,
      );
    }
    setBusy(false);
  }

  const exportAs = (format: 'json' | 'csv') =>
    attempt('The tasks could not be exported.', async () => {
      const text =
        format === 'csv' ? await api.exportTasksAsCsv(userId) : JSON.stringify(await api.exportTasks(userId), null, 2);
      download(text, format);
      return 'The file is among your downloads.';
    });

  const importFrom = (file: File) =>
    attempt(
      <>
        <Quoted text={file.name} /> could not be imported.
      </>,
      async () => {
        const text = await file.text();
        const tasks = tasksIn(text);
        const key = lost.current?.text === text ? lost.current.key : newIdempotencyKey();
        lost.current = { text, key };
        try {
          const { imported } = await api.importTasks(userId, { tasks }, { idempotencyKey: key, requestId: key });
          lost.current = undefined;
          if (imported > 0) setImported(key);
          return imported === 1 ? '1 task imported.' : `${imported} tasks imported.`;
        } catch (error) {
          if (isRefused(error)) lost.current = undefined;
          throw error;
        }
      },
    );

  const undoImport = (id: string) => {
    // The button that was pressed goes.
    importButton.current?.focus();
    return attempt('The import could not be undone.', async () => {
      const results = await api.undo(userId, { correlationId: id });
      const count = results.filter(({ outcome }) => outcome === 'undone').length;
      return count === 1 ? 'Import of 1 task undone.' : `Import of ${count} tasks undone.`;
    });
  };

  return (
    <section className="card data" aria-labelledby="data" aria-busy={isBusy}>
      <h2 id="data">Your data</h2>
      <p className="hint">
        All your tasks as a file: JSON can be imported again, here or in another account; CSV is for spreadsheets. What
        is imported is added to the tasks that are there.
      </p>
      <div className="buttons">
        <button type="button" className="quiet" onClick={() => exportAs('json')}>
          Export as JSON
        </button>
        <button type="button" className="quiet" onClick={() => exportAs('csv')}>
          Export as CSV
        </button>
        <button ref={importButton} type="button" className="quiet" onClick={() => input.current?.click()}>
          Import JSON…
        </button>
        <input
          ref={input}
          type="file"
          accept=".json,application/json"
          aria-label="A file to import"
          hidden
          onChange={({ target }) => {
            const file = target.files?.[0];
            if (file) void importFrom(file);
            // The same file may be chosen again.
            target.value = '';
          }}
        />
      </div>
      <div>
        <div role="status" className="result">
          {isBusy ? 'One moment…' : said}
          {imported !== undefined && (
            <button type="button" className="quiet" onClick={() => undoImport(imported)}>
              Undo
            </button>
          )}
        </div>
        <div role="alert" className="error">
          {problem}
        </div>
      </div>
    </section>
  );
}

/** What the API has against single tasks of a file. */
function Problems({ of: error }: { readonly of: unknown }) {
  if (!(error instanceof TodoApiError) || error.errors.length === 0) return null;
  const more = error.errors.length - MOST_PROBLEMS;
  return (
    <ul>
      {error.errors.slice(0, MOST_PROBLEMS).map(({ field, message }) => {
        const index = /^tasks\.(\d+)/.exec(field)?.[1];
        return (
          <li key={field + message}>
            {index !== undefined && `Task ${Number(index) + 1}: `}
            {message}
          </li>
        );
      })}
      {more > 0 && <li>{more} more.</li>}
    </ul>
  );
}

/** A file that has no tasks as the export writes them. */
class UnreadableFile extends Error {}

function tasksIn(text: string) {
  try {
    const { tasks } = JSON.parse(text);
    if (Array.isArray(tasks)) return tasks;
  } catch {
    // Said below.
  }
  throw new UnreadableFile('It is not a JSON file as the export makes it.');
}

function download(text: string, format: 'json' | 'csv'): void {
  const url = URL.createObjectURL(new Blob([text], { type: format === 'csv' ? 'text/csv' : 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `tasks-${dayIn(0, new Date())}.${format}`;
  link.click();
  // Not at once: the browser may not have begun.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
