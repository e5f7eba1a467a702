import type { Metadata } from 'next';
import { LocalTime } from '@/components/local-time';
import { appsOf } from '@/lib/apps';
import { requireUser } from '@/lib/session';
import { settings } from '@/lib/settings';
import { ConnectedApps } from './connected-apps';
import { Statistics } from './statistics';
import { YourData } from './your-data';

export const metadata: Metadata = { title: 'Profile' };

export default async function Profile() {
  const { id, name, email, createdAt } = await requireUser();
  return (
    <>
      <h1 dir="auto">{name}</h1>
      <p className="subtitle">
        {email} · here since <LocalTime at={createdAt.toISOString()} to="month" />
      </p>
      <Statistics userId={id} backendUrl={settings.backendUrl} />
      <YourData userId={id} backendUrl={settings.backendUrl} />
      <ConnectedApps apps={await appsOf(id)} userId={id} backendUrl={settings.backendUrl} />
    </>
  );
}
