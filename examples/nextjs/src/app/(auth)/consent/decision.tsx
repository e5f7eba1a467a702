'use client';

import { useState } from 'react';
import { authClient, explainRefusal, isRedirect } from '@/lib/auth-client';

/** Says yes or no to the app, which gets the answer at an address of its own. */
export function Decision() {
  const [isPending, setPending] = useState(false);
  const [problem, setProblem] = useState('');

  async function decide(accept: boolean): Promise<void> {
    if (isPending) return;
    setPending(true);
    setProblem('');
    const { data, error } = await authClient.oauth2
      .consent({ accept })
      .catch(() => ({ data: null, error: { message: 'This app cannot be reached at the moment.' } }));
    // Better Auth goes on to the app.
    if (isRedirect(data)) return;
    setProblem(explainRefusal(error ?? {}));
    setPending(false);
  }

  return (
    <>
      <p role="alert" className="error">
        {problem}
      </p>
      <div className="actions">
        <button type="button" className="quiet" aria-disabled={isPending} onClick={() => decide(false)}>
          Deny
        </button>
        <button type="button" className="primary" aria-disabled={isPending} onClick={() => decide(true)}>
          Allow
        </button>
      </div>
    </>
  );
}
