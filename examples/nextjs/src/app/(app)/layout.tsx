import type { ReactNode } from 'react';
import { mark } from '@/components/icons';
import { requireUser } from '@/lib/session';
import { Navigation } from './navigation';

export default async function Layout({ children }: { readonly children: ReactNode }) {
  await requireUser();
  return (
    <>
      <a href="#main" className="skip">
        Skip to the content
      </a>
      <header>
        <div className="column">
          {mark}
          <Navigation />
        </div>
      </header>
      <main id="main" className="column" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}
