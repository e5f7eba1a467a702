'use client';

import Link from 'next/link';
import { usePathname } from 'next/navigation';
import { authClient } from '@/lib/auth-client';

const PAGES = [
  { href: '/tasks', name: 'Tasks' },
  { href: '/profile', name: 'Profile' },
];

export function Navigation() {
  const path = usePathname();

  async function signOut() {
    await authClient.signOut().catch(() => {});
    location.assign('/sign-in');
  }

  return (
    <>
      <nav aria-label="Pages">
        {PAGES.map(({ href, name }) => (
          <Link key={href} href={href} aria-current={path === href ? 'page' : undefined}>
            {name}
          </Link>
        ))}
      </nav>
      <button type="button" className="quiet at-the-edge" onClick={signOut}>
        Sign out
      </button>
    </>
  );
}
