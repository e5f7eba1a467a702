import type { ReactNode } from 'react';
import { mark } from '@/components/icons';

export default function Layout({ children }: { readonly children: ReactNode }) {
  return (
    <main className="narrow">
      {mark}
      {children}
    </main>
  );
}
