import { useState } from 'react';
import { Dialog } from '@/components/dialog';
import { Field } from '@/components/field';
import { Quoted } from '@/components/quoted';
import type { App } from '@/lib/apps';

const HOUR = 3_600_000;

/** How far back, in milliseconds. */
const SPANS = [
  { name: 'In the last hour', length: HOUR },
  { name: 'In the last day', length: 24 * HOUR },
  { name: 'In the last 7 days', length: 7 * 24 * HOUR },
  { name: 'At any time', length: Number.POSITIVE_INFINITY },
];

interface UndoDialogProps {
  /** The app whose changes are to be undone; nothing while that is not asked. */
  readonly app: App | undefined;
  readonly onClose: () => void;
  readonly onUndo: (app: App, since: Date) => void;
}

/** Asks since when what an app did is to be undone. */
export function UndoDialog({ app, onClose, onUndo }: UndoDialogProps) {
  const [span, setSpan] = useState(0);
  return (
    <Dialog title="Undo what the app did?" isOpen={app !== undefined} onClose={onClose}>
      <form
        action={() => {
          if (app) onUndo(app, new Date(Math.max(0, Date.now() - (SPANS[span]?.length ?? 0))));
        }}
      >
        <p>
          What {app && <Quoted text={app.name} />} changed goes back to what it was, except where somebody has changed
          it since.
        </p>
        <Field label="What it did">
          {(props) => (
            <select {...props} value={span} onChange={({ target }) => setSpan(Number(target.value))}>
              {SPANS.map(({ name }, index) => (
                <option key={name} value={index}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <div className="actions">
          <button type="button" className="quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="primary">
            Undo
          </button>
        </div>
      </form>
    </Dialog>
  );
}
