'use client';

import { useEffect, useMemo, useRef, useState } from 'react';
import { connect, explain, type Task } from '@/lib/api';
import { inWords } from '@/lib/due-date';
import { icons } from './icons';
import { Quoted } from './quoted';

interface RemindersProps {
  readonly userId: string;
  readonly backendUrl: string;
}

/** What all tabs are told: a reminder came, or a task needs none any more. */
type News = { readonly task: Task; readonly position: string } | { readonly over: string };

/**
 * Reminders, as they come. One tab watches for all of them, also while nobody sees it: browsers have six connections for
 * all tabs together, and nobody is to be notified twice.
 */
export function Reminders({ userId, backendUrl }: RemindersProps) {
  const api = useMemo(() => connect(backendUrl), [backendUrl]);
  const [tasks, setTasks] = useState<readonly Task[]>([]);
  const [problem, setProblem] = useState('');
  const tell = useRef((_news: News) => {});

  useEffect(() => {
    const end = new AbortController();
    const { signal } = end;
    const name = `reminders of ${userId}`;
    const tabs = new BroadcastChannel(name);
    const take = (news: News) => setTasks((tasks) => afterNews(tasks, news));
    tabs.onmessage = ({ data }) => take(data);
    tell.current = (news) => {
      take(news);
      tabs.postMessage(news);
    };

    async function watch() {
      for await (const { type, task, taskId, position } of api.watch(userId, { signal, onResync: () => {} })) {
        if (task === null || task.completed) tell.current({ over: taskId });
        else if (type === 'todo.task.reminder-due.v1') {
          tell.current({ task, position });
          notify(task, position);
        }
      }
    }
    navigator.locks.request(name, { signal }, watch).catch(() => {
      // This page was left, or the API refuses it for good.
    });
    return () => {
      end.abort();
      tabs.close();
    };
  }, [api, userId]);

  /** The button that was pressed goes. */
  function dismiss({ id }: Task) {
    setProblem('');
    tell.current({ over: id });
    document.getElementById('main')?.focus({ preventScroll: true });
  }

  async function complete(task: Task) {
    try {
      await api.completeTask(userId, task.id, { completed: true });
      dismiss(task);
    } catch (error) {
      setProblem(`“${task.title}” could not be completed. ${explain(error)}`);
    }
  }

  return (
    <div className="reminders">
      <div role="status">
        {tasks.map((task) => (
          <div key={task.id} className="toast">
            {icons.bell}
            <p>
              Reminder: <Quoted text={task.title} />
              {task.dueDate && <span className="line">{inWords(task.dueDate)}</span>}
            </p>
            <div className="buttons">
              <button type="button" aria-label={`Complete “${task.title}”`} onClick={() => complete(task)}>
                Complete
              </button>
              <button
                type="button"
                aria-label={`Dismiss the reminder of “${task.title}”`}
                onClick={() => dismiss(task)}
              >
                Dismiss
              </button>
            </div>
          </div>
        ))}
      </div>
      <p role="alert" className="error">
        {problem}
      </p>
    </div>
  );
}

/** The tasks of which the user is reminded, the last one first. */
function afterNews(tasks: readonly Task[], news: News): readonly Task[] {
  const id = 'over' in news ? news.over : news.task.id;
  const others = tasks.filter((task) => task.id !== id);
  if ('task' in news) return [news.task, ...others];
  return others.length === tasks.length ? tasks : others;
}

/** A notification of the browser, for who has allowed that. */
function notify({ title, dueDate }: Task, position: string): void {
  if (!('Notification' in globalThis) || Notification.permission !== 'granted') return;
  try {
    const body = dueDate === null ? 'Reminder' : inWords(dueDate);
    const notification = new Notification(title, { body, tag: position });
    notification.onclick = () => window.focus();
  } catch {
    // Android leaves it to service workers.
  }
}
