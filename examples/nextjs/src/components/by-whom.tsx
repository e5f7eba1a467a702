import { useEffect, useState } from 'react';
import type { JournalEntry } from '@/lib/api';

interface ByWhomProps {
  readonly actor: JournalEntry['actor'];
  readonly userId: string;
}

/** Who did something: whose tasks these are, or an app on their behalf. */
export function ByWhom({ actor: { type, id }, userId }: ByWhomProps) {
  if (type === 'agent') return <AppName id={id} />;
  return id === userId ? 'you' : <bdi>{id}</bdi>;
}

/** What an app calls itself. One that the user has not let in here, such as one without OAuth, has only its id. */
function AppName({ id }: { readonly id: string }) {
  const [name, setName] = useState<string | null>();
  useEffect(() => {
    let isShown = true;
    void nameOf(id).then((name) => isShown && setName(name ?? null));
    return () => {
      isShown = false;
    };
  }, [id]);
  if (name) return <bdi>{name}</bdi>;
  return (
    <>
      an agent
      {name === null && (
        <>
          {' '}
          (<bdi>{id}</bdi>)
        </>
      )}
    </>
  );
}

type Names = Readonly<Record<string, string>>;

let names: Promise<Names>;
const asked = new Set<string>();

/** The name of an app. They are asked for all together, and again only for one that may be new. */
async function nameOf(id: string): Promise<string | undefined> {
  if (!asked.has(id)) {
    asked.add(id);
    names = fetchNames().catch(() => {
      asked.clear();
      return {};
    });
  }
  const known = await names;
  return Object.hasOwn(known, id) ? known[id] : undefined;
}

async function fetchNames(): Promise<Names> {
  const response = await fetch('/api/apps');
  if (!response.ok) throw new Error(`The names of the apps: ${response.status}`);
  return response.json();
}
