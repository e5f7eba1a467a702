import type { Metadata, Viewport } from 'next';
import { connection } from 'next/server';
import type { ReactNode } from 'react';
import './styles.css';

export const metadata: Metadata = {
  title: { default: 'Tasks', template: '%s · Tasks' },
  description: 'Tasks, kept by the Todo backend.',
};

export const viewport: Viewport = {
  colorScheme: 'light dark',
  themeColor: [
    { media: '(prefers-color-scheme: light)', color: '#f7f6f3' },
    { media: '(prefers-color-scheme: dark)', color: '#15181a' },
  ],
};

export default async function Layout({ children }: { readonly children: ReactNode }) {
  // Every page is made for its request: the nonce of its scripts is.
  await connection();
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
