import { type ReactNode, useId, useState } from 'react';
import { isTooLong, lengthNote } from '@/lib/text-length';

interface FieldProps {
  readonly label: string;
  readonly error?: string | undefined;
  readonly hint?: string;
  /** The most characters of its text, and the text that it begins with: it is counted while it is written. */
  readonly limit?: { readonly most: number; readonly text: string };
  /** Renders the control with what ties it to its label and its error. */
  readonly children: (props: {
    id: string;
    'aria-invalid': true | undefined;
    'aria-describedby': string | undefined;
  }) => ReactNode;
}

/** A control with its label, and with what the API says against its value. */
export function Field({ label, error, hint, limit, children }: FieldProps) {
  const id = useId();
  const [text, setText] = useState(limit?.text ?? '');
  const most = limit?.most ?? Number.POSITIVE_INFINITY;
  const note = error ?? hint;
  const count = lengthNote(text, most);
  const notes = [note !== undefined && `${id}-note`, count !== '' && `${id}-count`].filter(Boolean).join(' ');
  return (
    <div
      className="field"
      {...(limit && {
        onInput: ({ target }: { target: EventTarget }) =>
          setText((target as HTMLInputElement | HTMLTextAreaElement).value),
      })}
    >
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        'aria-invalid': error !== undefined || isTooLong(text, most) ? true : undefined,
        'aria-describedby': notes || undefined,
      })}
      {note !== undefined && (
        <p id={`${id}-note`} className={error === undefined ? 'hint' : 'error'}>
          {note}
        </p>
      )}
      {count !== '' && (
        <p id={`${id}-count`} className={isTooLong(text, most) ? 'error' : 'hint'}>
          {count}
        </p>
      )}
    </div>
  );
}
