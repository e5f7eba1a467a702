import type { Metadata } from 'next';
import { requireUser } from '@/lib/session';
import { settings } from '@/lib/settings';
import { Tasks } from './tasks';

export const metadata: Metadata = { title: 'Tasks' };

export default async function Page() {
  const { id } = await requireUser();
  return <Tasks userId={id} backendUrl={settings.backendUrl} visit={crypto.randomUUID()} />;
}
