import type { Metadata } from 'next';
import { requireUser } from '@/lib/session';
import { settings } from '@/lib/settings';
import { Statistics } from './statistics';

export const metadata: Metadata = { title: 'Profile' };

export default async function Profile() {
  const { id, name, email, createdAt } = await requireUser();
  const since = createdAt.toLocaleDateString('en-GB', { month: 'long', year: 'numeric' });
  return (
    <>
      <h1>{name}</h1>
      <p className="subtitle">
        {email} · here since {since}
      </p>
      <Statistics userId={id} backendUrl={settings.backendUrl} />
    </>
  );
}
