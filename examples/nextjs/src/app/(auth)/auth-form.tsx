'use client';

import { useActionState } from 'react';
import { Field } from '@/components/field';
import { authClient, explainRefusal, isRedirect } from '@/lib/auth-client';

interface Attempt {
  readonly name?: string;
  readonly email?: string;
  readonly problem?: string;
}

/** Signs somebody in, or up. */
export function AuthForm({ isNew = false }: { readonly isNew?: boolean }) {
  const [attempt, submit, isPending] = useActionState(async (_: Attempt, form: FormData): Promise<Attempt> => {
    const [name = '', email = '', password = ''] = ['name', 'email', 'password'].map((key) => String(form.get(key)));
    const { data, error } = await (isNew
      ? authClient.signUp.email({ name, email, password })
      : authClient.signIn.email({ email, password })
    ).catch(() => ({ data: null, error: { message: 'This app cannot be reached at the moment.' } }));
    if (error) return { name, email, problem: explainRefusal(error) };
    // A new page, and with it an empty memory: nothing of whoever was signed in before is left. Where an app waits to be
    // connected, Better Auth goes on with that.
    if (!isRedirect(data)) location.assign('/tasks');
    return new Promise(() => {});
  }, {});

  return (
    <form action={submit} className="card">
      {isNew && (
        <Field label="Name">
          {(props) => <input {...props} name="name" autoComplete="name" required defaultValue={attempt.name} />}
        </Field>
      )}
      <Field label="E-mail">
        {(props) => (
          <input {...props} name="email" type="email" autoComplete="email" required defaultValue={attempt.email} />
        )}
      </Field>
      <Field label="Password" {...(isNew && { hint: 'At least 8 characters.' })}>
        {(props) => (
          <input
            {...props}
            name="password"
            type="password"
            required
            minLength={isNew ? 8 : 1}
            autoComplete={isNew ? 'new-password' : 'current-password'}
          />
        )}
      </Field>
      <p role="alert" className="error">
        {attempt.problem}
      </p>
      <button type="submit" className="primary" aria-disabled={isPending}>
        {isNew ? 'Sign up' : 'Sign in'}
      </button>
    </form>
  );
}
