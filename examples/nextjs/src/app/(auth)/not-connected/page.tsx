import type { Metadata } from 'next';
import Link from 'next/link';

export const metadata: Metadata = { title: 'Not connected' };

/** Where an app ends up whose request cannot be answered to it: one that is unknown here, or wants the answer elsewhere. */
export default function NotConnected() {
  return (
    <>
      <h1>The app was not connected</h1>
      <p>
        Tasks does not know it, or it has waited for too long. Please start again from there, and if that does not help,
        remove the server there and add it again.
      </p>
      <p>
        <Link href="/tasks">Go to your tasks</Link>
      </p>
    </>
  );
}
