import type { Metadata } from 'next';
import Link from 'next/link';
import { AuthForm } from '../auth-form';

export const metadata: Metadata = { title: 'Sign in' };

export default function SignIn() {
  return (
    <>
      <h1>Welcome back</h1>
      <AuthForm />
      <p>
        New here? <Link href="/sign-up">Sign up</Link>
      </p>
    </>
  );
}
