import { redirect } from 'next/navigation';
import { currentUser } from '@/lib/session';

/** What an app asks for that wants to be connected: the query of the page, which Better Auth has signed. Empty without one. */
export async function requestOfApp(
  searchParams: Promise<Record<string, string | string[] | undefined>>,
): Promise<string> {
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(await searchParams)) {
    for (const value of [values ?? []].flat()) query.append(name, value);
  }
  return query.has('sig') ? `?${query}` : '';
}

/** Sends those who are signed in to their tasks, unless an app wants them to sign in once more. */
export async function requireVisitor(request: string): Promise<void> {
  if (request === '' && (await currentUser())) redirect('/tasks');
}
