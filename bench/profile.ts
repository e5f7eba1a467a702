/** Reads what `node --cpu-prof` writes. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  /** Microseconds. */
  readonly timeDeltas: readonly number[];
}

/** The profile of the thread that did most. */
export async function mainProfile(directory: string): Promise<CpuProfile> {
  const files = await readdir(directory);
  const profiles = await Promise.all(
    files.map(async (file): Promise<CpuProfile> => JSON.parse(await readFile(join(directory, file), 'utf8'))),
  );
  const [main] = profiles.toSorted((a, b) => b.nodes.length - a.nodes.length);
  if (main === undefined) throw new Error('The server wrote no profile.');
  return main;
}

/**
 * The time that each library had itself, for each of so many requests.
 *
 * @param seconds of load at the end of the profile
 * @returns microseconds, the most first
 */
export function timesOf({ nodes, samples, timeDeltas }: CpuProfile, seconds: number, requests: number) {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, libraryOf(callFrame)]));
  const idle = new Set(nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id));
  // What comes after the load is idle.
  let end = samples.length;
  let quiet = 0;
  while (end > 0 && quiet < 50) quiet = idle.has(samples[--end] ?? 0) ? 0 : quiet + 1;
  const times = new Map<string, number>();
  for (let left = seconds * 1e6, index = end; left > 0 && index > 0; index--) {
    const time = timeDeltas[index] ?? 0;
    left -= time;
    const id = samples[index] ?? 0;
    if (idle.has(id)) continue;
    const name = names.get(id) ?? '';
    times.set(name, (times.get(name) ?? 0) + time / requests);
  }
  return new Map([...times].toSorted(([, a], [, b]) => b - a));
}

function libraryOf({ functionName, url }: { readonly functionName: string; readonly url: string }): string {
  const [, inModules] = /.*node_modules[/]((?:@[^/]+[/])?[^/]+)/.exec(url) ?? [];
  if (inModules !== undefined) return inModules;
  if (url.startsWith('node:')) return 'Node.js: HTTP, streams, timers, crypto';
  if (url.includes('/packages/')) return 'this project';
  if (/^write(?:v|Utf8String|String|Latin1String|Buffer)$/.test(functionName)) return 'sending to sockets';
  if (functionName === '(garbage collector)') return 'garbage collection';
  return 'V8 and native code';
}
