import { type ReactNode, useState } from 'react';
import { CATEGORIES, PRIORITIES } from '@/app/(app)/tasks/choices';
import { explain, type JournalEntry, type TodoClient } from '@/lib/api';
import { inWords } from '@/lib/due-date';
import { inShort } from '@/lib/recurrence';
import { ByWhom } from './by-whom';
import { LocalTime } from './local-time';
import { Quoted } from './quoted';

/** How many entries are loaded at a time. */
const PART = 20;

interface HistoryProps {
  readonly api: TodoClient;
  readonly userId: string;
  readonly taskId: string;
}

/** What happened to a task, newest first, loaded when somebody wants to know. */
export function History({ api, userId, taskId }: HistoryProps) {
  const [entries, setEntries] = useState<readonly JournalEntry[]>([]);
  /** From where the next part is; nothing when all is there. */
  const [next, setNext] = useState<string | undefined>('');
  const [isLoading, setLoading] = useState(false);
  const [problem, setProblem] = useState('');

  async function load() {
    setProblem('');
    setLoading(true);
    try {
      const query = { task_id: taskId, limit: PART, ...(next && { cursor: next }) };
      const page = await api.listJournalPage(userId, query);
      setEntries((entries) => [...entries, ...page.entries]);
      setNext(page.next);
    } catch (error) {
      setProblem(explain(error));
    }
    setLoading(false);
  }

  return (
    <details
      className="history"
      onToggle={({ currentTarget }) => {
        if (currentTarget.open && entries.length === 0 && !isLoading) void load();
      }}
    >
      <summary>History</summary>
      <ol aria-busy={isLoading}>
        {entries.map((entry) => (
          <li key={entry.id}>
            {'undoes' in entry && entry.undoes && <span className="badge">Undo</span>} {whatHappened(entry)}
            <span className="line hint">
              {entry.type !== 'todo.task.reminder-due.v1' && (
                <>
                  by <ByWhom actor={entry.actor} userId={userId} /> ·{' '}
                </>
              )}
              <LocalTime at={entry.time} />
            </span>
          </li>
        ))}
      </ol>
      <p role="alert" className="error">
        {problem}
      </p>
      {next !== undefined && (entries.length > 0 || problem !== '') && (
        <button type="button" className="quiet" aria-disabled={isLoading} onClick={() => isLoading || void load()}>
          {problem === '' ? 'Show older' : 'Try again'}
        </button>
      )}
    </details>
  );
}

function whatHappened(entry: JournalEntry): ReactNode {
  switch (entry.type) {
    case 'todo.task.created.v1':
      return <Sentence>Created{isErased(entry) || <> as {<Quoted text={entry.task.title} />}</>}</Sentence>;
    case 'todo.task.updated.v1':
      return <Changes entry={entry} />;
    case 'todo.task.completed.v1':
      return <Sentence>Completed</Sentence>;
    case 'todo.task.reopened.v1':
      return <Sentence>Reopened</Sentence>;
    case 'todo.task.deleted.v1':
      return <Sentence>Deleted</Sentence>;
    case 'todo.task.restored.v1':
      return <Sentence>Restored</Sentence>;
    case 'todo.task.erased.v1':
      return <Sentence>Erased for good</Sentence>;
    case 'todo.task.reminder-due.v1':
      return <Sentence>Reminded</Sentence>;
  }
}

function Sentence({ children }: { readonly children: ReactNode }) {
  return <span className="line">{children}</span>;
}

type Updated = Extract<JournalEntry, { changes: object }>;

function Changes({ entry }: { readonly entry: Updated }) {
  const { title, description, priority, category, dueDate, tags, recurrence, remindAt } = entry.changes;
  const listed = (tags: readonly string[]) => (tags.length === 0 ? null : tags.join(', '));
  const erased = isErased(entry);
  return (
    <>
      {title && <FromTo name="Title" {...title} erased={erased} show={(text) => <Quoted text={text} />} />}
      {description && (
        <FromTo name="Description" {...description} erased={erased} show={(text) => <Quoted text={text} />} />
      )}
      {priority && <FromTo name="Priority" {...priority} show={(value) => PRIORITIES[value]} />}
      {category && <FromTo name="Category" {...category} show={(value) => CATEGORIES[value]} />}
      {tags && (
        <FromTo
          name="Tags"
          before={listed(tags.before)}
          after={listed(tags.after)}
          erased={erased}
          show={(text) => <Quoted text={text} />}
        />
      )}
      {dueDate && <FromTo name="Due date" {...dueDate} show={(date) => inWords(date)} />}
      {recurrence && <FromTo name="Repetition" {...recurrence} show={(recurrence) => inShort(recurrence)} />}
      {remindAt && <FromTo name="Reminder" {...remindAt} show={(at) => inWords(at)} />}
    </>
  );
}

interface FromToProps<T> {
  readonly name: string;
  readonly before: T | null;
  readonly after: T | null;
  /** Whether the texts were erased, and cannot be shown. */
  readonly erased?: boolean;
  readonly show: (value: T) => ReactNode;
}

function FromTo<T>({ name, before, after, erased = false, show }: FromToProps<T>) {
  if (erased) return <Sentence>{name} changed</Sentence>;
  return (
    <Sentence>
      {after === null ? `${name} removed, was ` : `${name} ${before === null ? 'set' : 'changed'}`}
      {before !== null && after !== null && ' from '}
      {before !== null && show(before)}
      {after !== null && <> to {show(after)}</>}
    </Sentence>
  );
}

/** Whether its texts were erased with the task. */
function isErased(entry: JournalEntry): boolean {
  return 'erased' in entry && entry.erased === true;
}
