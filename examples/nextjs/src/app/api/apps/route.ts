import { appsOf } from '@/lib/apps';
import { currentUser } from '@/lib/session';

/** The names of the apps that the user has let in, by their ids. */
export async function GET(): Promise<Response> {
  const user = await currentUser();
  if (!user) return new Response(null, { status: 401 });
  const apps = await appsOf(user.id);
  return Response.json(Object.fromEntries(apps.map(({ id, name }) => [id, name])));
}
