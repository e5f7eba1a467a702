import { headers } from 'next/headers';
import { redirect } from 'next/navigation';
import { cache } from 'react';
import { auth } from './auth';

/** Who is signed in, asked once for each request. */
export const currentUser = cache(async () => {
  const session = await (await auth()).api.getSession({ headers: await headers() });
  return session?.user;
});

/** Who is signed in; who is not is sent to sign in. */
export async function requireUser() {
  return (await currentUser()) ?? redirect('/sign-in');
}
