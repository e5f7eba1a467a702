'use client';

import Link from 'next/link';
import { usePathname } from 'next/navigation';
import { useState } from 'react';
import { ShortcutHelp } from '@/components/shortcuts';
import { authClient } from '@/lib/auth-client';

const PAGES = [
  { href: '/tasks', name: 'Tasks' },
  { href: '/trash', name: 'Trash' },
  { href: '/profile', name: 'Profile' },
];

export function Navigation() {
  const path = usePathname();
  const [problem, setProblem] = useState('');

  async function signOut() {
    setProblem('');
    const { error } = await authClient.signOut().catch(() => ({ error: {} }));
    // Whoever believes to be signed out, and is not, leaves the tasks to the next one at this computer.
    if (error) setProblem('You are still signed in: this app cannot be reached at the moment. Please try again.');
    else location.assign('/sign-in');
  }

  return (
    <>
      <nav aria-label="Pages">
        {PAGES.map(({ href, name }) => (
          // A link to where one is leaves no way back to what was there.
          <Link key={href} href={href} replace={path === href} aria-current={path === href ? 'page' : undefined}>
            {name}
          </Link>
        ))}
      </nav>
      <ShortcutHelp />
      <button type="button" className="quiet at-the-edge" onClick={signOut}>
        Sign out
      </button>
      <p role="alert" className="error">
        {problem}
      </p>
    </>
  );
}
