import Link from 'next/link';
import { mark } from '@/components/icons';

export default function NotFound() {
  return (
    <main className="narrow">
      {mark}
      <h1>There is nothing here</h1>
      <p>
        <Link href="/tasks">Go to your tasks</Link>
      </p>
    </main>
  );
}
