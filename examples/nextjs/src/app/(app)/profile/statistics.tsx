'use client';

import { useCallback, useMemo } from 'react';
import { Away } from '@/components/away';
import { type CallOptions, connect, type Stats } from '@/lib/api';
import { useLive } from '@/lib/use-live';

/** How far somebody has come, as a ring that closes. */
export function Statistics({ userId, backendUrl }: { readonly userId: string; readonly backendUrl: string }) {
  const api = useMemo(() => connect(backendUrl), [backendUrl]);
  const { data, ...state } = useLive(
    api,
    userId,
    useCallback((options: CallOptions) => api.getStats(userId, options), [api, userId]),
  );
  return (
    <>
      <Away {...state} />
      <section className="card statistics" aria-label="Statistics" aria-busy={data === undefined}>
        {data && <Ring {...data} />}
        {data && (
          <div>
            <h2>{inWords(data)}</h2>
            <dl>
              <div className="is-done">
                <dt>Done</dt>
                <dd>{data.completed}</dd>
              </div>
              <div className="is-open">
                <dt>To do</dt>
                <dd>{data.pending}</dd>
              </div>
              <div>
                <dt>Total</dt>
                <dd>{data.total}</dd>
              </div>
            </dl>
          </div>
        )}
      </section>
    </>
  );
}

function Ring({ total, completed }: Stats) {
  const percent = total === 0 ? 0 : Math.floor((100 * completed) / total);
  return (
    <svg className="ring" viewBox="0 0 120 120" role="img" aria-label={`${percent} percent done`}>
      <circle cx="60" cy="60" r="50" />
      {percent > 0 && (
        <circle className="part" cx="60" cy="60" r="50" pathLength="100" strokeDasharray={`${percent} 100`} />
      )}
      <text x="60" y="61">
        {percent}%
      </text>
    </svg>
  );
}

function inWords({ total, pending, completed }: Stats): string {
  if (total === 0) return 'Your first task is still to come.';
  if (pending === 0) return 'All done. Enjoy the rest of the day.';
  if (completed === 0) return 'A fresh start: everything is still ahead.';
  return pending === 1 ? 'Only one to go.' : `${completed} behind you, ${pending} to go.`;
}
