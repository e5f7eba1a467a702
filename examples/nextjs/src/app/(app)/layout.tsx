import type { ReactNode } from 'react';
import { mark } from '@/components/icons';
import { Reminders } from '@/components/reminders';
import { requireUser } from '@/lib/session';
import { settings } from '@/lib/settings';
import { Navigation } from './navigation';

export default async function Layout({ children }: { readonly children: ReactNode }) {
  const { id } = await requireUser();
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
      <Reminders userId={id} backendUrl={settings.backendUrl} />
      <main id="main" className="column" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}
