import type { Metadata } from 'next';
import { requireUser } from '@/lib/session';
import { settings } from '@/lib/settings';
import { Trash } from './trash';

export const metadata: Metadata = { title: 'Trash' };

export default async function Page() {
  const { id } = await requireUser();
  return <Trash userId={id} backendUrl={settings.backendUrl} />;
}
