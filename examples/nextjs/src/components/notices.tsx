import { type ReactNode, useEffect, useState } from 'react';
import { icons } from './icons';

/** Milliseconds that news stay, while nobody is at them. */
const STAY = 10_000;

interface NoticesProps {
  /** What was done, and what can be done about it. Other news have another `id`. */
  readonly news: News | undefined;
  readonly onEndNews: () => void;
  /** What could not be done, until somebody has read it. */
  readonly problem: ReactNode;
  readonly onDismiss: () => void;
}

export interface News {
  readonly id: string;
  readonly text: ReactNode;
  /** What can be done about it: the name of a button, and what that does. */
  readonly action?: { readonly name: string; readonly run: () => void } | undefined;
}

/** What is told at the bottom of the screen. In the page it comes before a list: nobody has to go through that to get here. */
export function Notices({ news, onEndNews, problem, onDismiss }: NoticesProps) {
  return (
    <div className="notices">
      <div role="status">{news && <Toast key={news.id} {...news} onEnd={onEndNews} />}</div>
      <div role="alert">
        {problem && (
          <div className="notice">
            <p>{problem}</p>
            <button type="button" aria-label="Dismiss" onClick={onDismiss}>
              {icons.close}
            </button>
          </div>
        )}
      </div>
    </div>
  );
}

function Toast({ text, action, onEnd }: News & { readonly onEnd: () => void }) {
  const [isHeld, setHeld] = useState(false);

  useEffect(() => {
    if (isHeld) return;
    const timer = setTimeout(onEnd, STAY);
    return () => clearTimeout(timer);
  }, [isHeld, onEnd]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: nothing is done with it, it only stays while somebody is at it
    <div
      className="toast"
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <p>{text}</p>
      {action && (
        <button type="button" onClick={action.run}>
          {action.name}
        </button>
      )}
    </div>
  );
}
