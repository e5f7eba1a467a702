import type { Metadata } from 'next';
import Link from 'next/link';
import { AuthForm } from '../auth-form';
import { requestOfApp, requireVisitor } from '../request-of-app';

export const metadata: Metadata = { title: 'Sign in' };

export default async function SignIn({ searchParams }: PageProps<'/sign-in'>) {
  const request = await requestOfApp(searchParams);
  await requireVisitor(request);
  return (
    <>
      <h1>Welcome back</h1>
      {request !== '' && <p>An app would like to work with your tasks. First, sign in.</p>}
      <AuthForm />
      <p>
        New here? <Link href={`/sign-up${request}`}>Sign up</Link>
      </p>
    </>
  );
}
