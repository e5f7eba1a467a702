import type { Metadata } from 'next';
import Link from 'next/link';
import { AuthForm } from '../auth-form';

export const metadata: Metadata = { title: 'Sign up' };

export default function SignUp() {
  return (
    <>
      <h1>A calm place for your tasks</h1>
      <AuthForm isNew />
      <p>
        Been here before? <Link href="/sign-in">Sign in</Link>
      </p>
    </>
  );
}
