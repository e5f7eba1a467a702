import { auth } from './auth';

/** An app that a user has let in, now or once. */
export interface App {
  /** As the history has it: `actor.id`. */
  readonly id: string;
  /** What it calls itself. */
  readonly name: string;
  /** What it may do; nothing any more after it was disconnected. */
  readonly scopes: readonly string[];
  /** When that was allowed, or ended: an instant in ISO 8601. */
  readonly since: string;
}

interface Consent {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly updatedAt: Date;
}

interface Client {
  readonly clientId: string;
  readonly name: string | null;
}

/** How many apps of a user are known by their names, the newest. */
const MOST = 200;

/** The apps that a user has let in, the newest first, with those that were disconnected since. */
export async function appsOf(userId: string): Promise<readonly App[]> {
  const adapter = await database();
  const consents = await adapter.findMany<Consent>({
    model: 'oauthConsent',
    where: [{ field: 'userId', value: userId }],
    sortBy: { field: 'updatedAt', direction: 'desc' },
    limit: MOST,
  });
  if (consents.length === 0) return [];
  const clients = await adapter.findMany<Client>({
    model: 'oauthClient',
    where: [{ field: 'clientId', operator: 'in', value: consents.map(({ clientId }) => clientId) }],
    limit: MOST,
  });
  const names = new Map(clients.map(({ clientId, name }) => [clientId, name]));
  return consents.map(({ clientId, scopes, updatedAt }) => ({
    id: clientId,
    name: names.get(clientId) ?? 'An app without a name',
    scopes,
    since: updatedAt.toISOString(),
  }));
}

/** Ends what an app may do. The token that it has is good for some minutes more: nobody asks here about that. */
export async function endAccess(userId: string, clientId: string): Promise<void> {
  const adapter = await database();
  const where = [
    { field: 'clientId', value: clientId },
    { field: 'userId', value: userId },
  ];
  // The consent stays, for nothing: so the history still knows the name of the app.
  await adapter.updateMany({
    model: 'oauthConsent',
    where,
    update: { scopes: [], resources: [], updatedAt: new Date() },
  });
  // A code that the app has not made a token of yet.
  await adapter.deleteMany({
    model: 'verification',
    where: [clientId, userId].map((id) => ({ field: 'value', operator: 'contains', value: id })),
  });
  await adapter.deleteMany({ model: 'oauthAccessToken', where });
  await adapter.deleteMany({ model: 'oauthRefreshToken', where });
}

async function database() {
  return (await (await auth()).$context).adapter;
}
