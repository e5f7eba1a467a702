import type { Metadata } from 'next';
import Link from 'next/link';
import { AuthForm } from '../auth-form';
import { requestOfApp, requireVisitor } from '../request-of-app';

export const metadata: Metadata = { title: 'Sign up' };

export default async function SignUp({ searchParams }: PageProps<'/sign-up'>) {
  const request = await requestOfApp(searchParams);
  await requireVisitor(request);
  return (
    <>
      <h1>A calm place for your tasks</h1>
      <AuthForm isNew />
      <p>
        Been here before? <Link href={`/sign-in${request}`}>Sign in</Link>
      </p>
    </>
  );
}
