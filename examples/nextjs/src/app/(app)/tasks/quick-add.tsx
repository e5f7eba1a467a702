import { useId, useRef, useState } from 'react';
import { icons } from '@/components/icons';
import { explain } from '@/lib/api';

interface QuickAddProps {
  readonly onAdd: (title: string) => Promise<void>;
  readonly onDetails: (title: string) => void;
}

/** A task in one line. */
export function QuickAdd({ onAdd, onDetails }: QuickAddProps) {
  const [title, setTitle] = useState('');
  const [problem, setProblem] = useState('');
  const input = useRef<HTMLInputElement>(null);
  const note = useId();

  async function add() {
    setTitle('');
    setProblem('');
    try {
      await onAdd(title);
    } catch (error) {
      setTitle((typed) => typed || title);
      setProblem(`“${title}” could not be added. ${explain(error)}`);
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
        required
        value={title}
        onChange={(event) => setTitle(event.target.value)}
        aria-invalid={problem === '' ? undefined : true}
        aria-describedby={problem === '' ? undefined : note}
      />
      <button
        type="button"
        className="quiet"
        onClick={() => {
          setTitle('');
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
    </form>
  );
}
