'use client';

import { mark } from '@/components/icons';

export default function ErrorPage() {
  return (
    <main className="narrow">
      {mark}
      <h1>Something went wrong</h1>
      <p>This page could not be shown. Please try again in a moment.</p>
      <button type="button" className="primary" onClick={() => location.reload()}>
        Try again
      </button>
    </main>
  );
}
