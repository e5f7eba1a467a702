'use client';

import { useEffect, useRef, useState } from 'react';
import { Dialog } from './dialog';
import { icons } from './icons';

/** What keys do: `n`, or with Ctrl (on a Mac also ⌘) `Ctrl+z`. */
type Shortcuts = Readonly<Record<string, () => void>>;

/** Does what the shortcuts say, unless something is typed, or a dialog is open. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;

  useEffect(() => {
    function press(event: KeyboardEvent) {
      const { ctrlKey, metaKey, shiftKey, altKey, key, target } = event;
      if (event.defaultPrevented || event.repeat || event.isComposing || altKey) return;
      if (isForText(target) || document.querySelector('dialog[open]')) return;
      const isCommand = ctrlKey || metaKey;
      if (!isCommand && !areKeysOn()) return;
      const action = latest.current[(isCommand ? (shiftKey ? 'Ctrl+Shift+' : 'Ctrl+') : '') + key.toLowerCase()];
      if (!action) return;
      event.preventDefault();
      action();
    }
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}

/** Whether keys write there, or choose. The browser also has an undo of its own there. */
function isForText(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches('textarea, select, input:not([type=checkbox], [type=radio])'))
  );
}

const SETTING = 'keys';

/** Who talks to the computer can turn off what a single letter does: words that are misheard are full of letters. */
function areKeysOn(): boolean {
  return localStorage.getItem(SETTING) !== 'off';
}

/** A button, and `?`, for a dialog that lists what keys do. */
export function ShortcutHelp() {
  const [isOpen, setOpen] = useState(false);
  useShortcuts({ '?': () => setOpen(true) });
  return (
    <>
      <button
        type="button"
        className="quiet for-keyboards"
        aria-label="Keyboard shortcuts"
        onClick={() => setOpen(true)}
      >
        {icons.keyboard}
      </button>
      <Dialog title="Keyboard shortcuts" isOpen={isOpen} onClose={() => setOpen(false)}>
        <ShortcutList />
        <div className="actions">
          <button type="button" className="primary" onClick={() => setOpen(false)}>
            Close
          </button>
        </div>
      </Dialog>
    </>
  );
}

function ShortcutList() {
  const [isOn, setOn] = useState(areKeysOn);
  const control = /^(Mac|iP)/.test(navigator.platform) ? '⌘' : 'Ctrl';
  const rows: [string[], string][] = [
    [['n'], 'Write a new task'],
    [['/'], 'Search'],
    [['?'], 'Show this help'],
    [[control, 'Z'], 'Undo the last change'],
    [[control, 'Shift', 'Z'], 'Redo what was undone'],
  ];
  return (
    <>
      <dl className="shortcuts">
        {rows.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p className="hint">They work on the page of the tasks, while nothing is typed. The help works everywhere.</p>
      <label className="choice">
        <input
          type="checkbox"
          checked={isOn}
          onChange={({ target }) => {
            setOn(target.checked);
            localStorage.setItem(SETTING, target.checked ? 'on' : 'off');
          }}
        />
        Use the keys without {control}
      </label>
    </>
  );
}
