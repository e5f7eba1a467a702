import { isAPIError } from 'better-auth/api';
import type { Metadata } from 'next';
import { redirect } from 'next/navigation';
import { auth } from '@/lib/auth';
import { SCOPES } from '@/lib/scopes';
import { currentUser } from '@/lib/session';
import { requestOfApp } from '../request-of-app';
import { Decision } from './decision';

export const metadata: Metadata = { title: 'Connect an app' };

/** Asks whether an app may act for the user: which one, what it may do, and where it gets the answer. */
export default async function Consent({ searchParams }: PageProps<'/consent'>) {
  const request = await requestOfApp(searchParams);
  const user = await currentUser();
  if (!user) redirect(`/sign-in${request}`);
  const query = new URLSearchParams(request);
  const app = await lookUp(query);
  if (!app) redirect('/not-connected');
  const scopes = (query.get('scope') ?? '').split(' ');
  return (
    <>
      <h1>Connect an app?</h1>
      <p>
        <strong>
          <bdi>{app.client_name ?? 'An app without a name'}</bdi>
        </strong>{' '}
        would like to work with the tasks of <bdi>{user.email}</bdi>.
      </p>
      <div className="card">
        <h2>It may</h2>
        <ul className="permissions">
          {Object.entries(SCOPES).map(([scope, meaning]) => scopes.includes(scope) && <li key={scope}>{meaning}</li>)}
        </ul>
      </div>
      <p className="hint">
        The answer goes to {placeOf(query.get('redirect_uri') ?? '')}. The name is what the app says of itself: allow it
        only if you have just started this there.
      </p>
      <Decision />
    </>
  );
}

/** The app that asks, if the request is as Better Auth has signed it, and not too old. */
async function lookUp(query: URLSearchParams) {
  const body = { client_id: query.get('client_id') ?? '', oauth_query: query.toString() };
  return (await auth()).api.getOAuthClientPublicPrelogin({ body }).catch((error: unknown) => {
    if (isAPIError(error)) return undefined;
    throw error;
  });
}

/** Where an address is, in words that tell one app from another. */
function placeOf(address: string) {
  const { protocol, hostname, host } = new URL(address);
  if (['localhost', '127.0.0.1', '[::1]'].includes(hostname)) {
    return (
      <>
        an app <strong>on this computer</strong> ({host})
      </>
    );
  }
  return <strong>{protocol === 'https:' ? host : protocol}</strong>;
}
