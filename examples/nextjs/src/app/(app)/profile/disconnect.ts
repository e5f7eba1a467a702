'use server';

import { revalidatePath } from 'next/cache';
import { endAccess } from '@/lib/apps';
import { requireUser } from '@/lib/session';

/** Ends what an app may do for the user. */
export async function disconnect(appId: string): Promise<void> {
  const { id } = await requireUser();
  // Types do not hold for what a browser sends.
  await endAccess(id, String(appId));
  revalidatePath('/profile');
}
