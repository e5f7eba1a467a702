import { type RefObject, useId, useRef, useState } from 'react';
import { icons } from '@/components/icons';
import { explain, type NewTask, newIdempotencyKey } from '@/lib/api';
import { isTooLong, lengthNote, MOST } from '@/lib/text-length';

interface QuickAddProps {
  readonly ref: RefObject<HTMLInputElement | null>;
  /** What a new task is besides its title. */
  readonly defaults: Omit<NewTask, 'title'>;
  readonly onAdd: (task: NewTask, idempotencyKey: string) => Promise<void>;
  readonly onDetails: (title: string) => void;
}

/** A task in one line. */
export function QuickAdd({ ref: input, defaults, onAdd, onDetails }: QuickAddProps) {
  const [title, setTitle] = useState('');
  const [problem, setProblem] = useState('');
  /** What failed, and is still in the field: the API may have got it all the same. */
  const failed = useRef<{ readonly task: NewTask; readonly key: string }>(undefined);
  const note = useId();
  const count = lengthNote(title, MOST.title);
  const isWrong = problem !== '' || isTooLong(title, MOST.title);

  function type(text: string) {
    failed.current = undefined;
    setTitle(text);
  }

  async function add() {
    const attempt = failed.current ?? { task: { ...defaults, title }, key: newIdempotencyKey() };
    type('');
    setProblem('');
    try {
      await onAdd(attempt.task, attempt.key);
    } catch (error) {
      setProblem(`“${title}” could not be added. ${explain(error)}`);
      // What was typed since is not replaced.
      if (input.current?.value) return;
      failed.current = attempt;
      setTitle(title);
      input.current?.focus();
    }
  }

  return (
    <form
      className="quick-add"
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      <input
        ref={input}
        aria-label="New task"
        placeholder="What is to be done?"
        autoComplete="off"
        dir="auto"
        aria-keyshortcuts="n"
        required
        value={title}
        onChange={(event) => type(event.target.value)}
        aria-invalid={isWrong || undefined}
        aria-describedby={problem || count ? `${note} ${note}-count` : undefined}
      />
      <button
        type="button"
        className="quiet"
        onClick={() => {
          type('');
          setProblem('');
          onDetails(title);
        }}
      >
        Details…
      </button>
      <button type="submit" className="primary">
        {icons.add} <span className="word">Add</span>
      </button>
      <p id={note} role="alert" className="error">
        {problem}
      </p>
      {count !== '' && (
        <p id={`${note}-count`} className={isTooLong(title, MOST.title) ? 'error' : 'hint'}>
          {count}
        </p>
      )}
    </form>
  );
}
