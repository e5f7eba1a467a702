import { redirect } from 'next/navigation';
import type { ReactNode } from 'react';
import { mark } from '@/components/icons';
import { currentUser } from '@/lib/session';

export default async function Layout({ children }: { readonly children: ReactNode }) {
  if (await currentUser()) redirect('/tasks');
  return (
    <main className="narrow">
      {mark}
      {children}
    </main>
  );
}
