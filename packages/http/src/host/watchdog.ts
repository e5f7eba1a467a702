import { url as inspectorUrl } from 'node:inspector';
import { Worker } from 'node:worker_threads';

/** Milliseconds between two signs of life. */
const INTERVAL = 500;

/** Milliseconds without a sign of life after which the process is ended. */
const PATIENCE = 8_000;

/** The same during the start: loading the program is one long turn, on a busy machine a very long one. */
const START_PATIENCE = 60_000;

/** Milliseconds that a process may take to end: more than an orderly shutdown takes, and less than platforms wait. */
const END_TIMEOUT = 9_500;

/** What {@link watch} returns. */
export interface Watchdog {
  /** The start is over. */
  started(): void;
  /** The process is to end: it has {@link END_TIMEOUT} milliseconds for that. */
  begin(): void;
}

/**
 * Ends the process when its event loop stands still, where no signal is heard and nobody is served, or when it does not
 * end after it was told to. A thread of its own looks after that, because nothing else runs then.
 */
export function watch(): Watchdog {
  const state = new Int32Array(new SharedArrayBuffer(4 * Int32Array.BYTES_PER_ELEMENT));
  const worker = new Worker(WATCH, {
    eval: true,
    workerData: { state, INTERVAL, PATIENCE, START_PATIENCE, END_TIMEOUT },
    // The options of the program, such as a loader, are not for this thread.
    execArgv: [],
  });
  worker.unref();
  // Without the thread the program still runs.
  worker.on('error', () => {});
  const beat = () => {
    Atomics.add(state, 0, 1);
    Atomics.store(state, 2, Number(inspectorUrl() !== undefined));
  };
  setInterval(beat, INTERVAL).unref();
  return { started: () => void Atomics.store(state, 3, 1), begin: () => void Atomics.store(state, 1, 1) };
}

/**
 * Counts its own turns, not the time: a process that was suspended finds that neither thread went on. A debugger stops
 * the program as long as it likes. Writing the reason may take for ever, where nobody reads it, and is not waited for.
 */
const WATCH = `
  const { workerData: { state, INTERVAL, PATIENCE, START_PATIENCE, END_TIMEOUT } } = require('node:worker_threads');
  const { write } = require('node:fs');
  let [beats, still, ending] = [0, 0, 0];
  const end = (reason) => {
    write(2, reason + '\\n', () => {});
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100);
  };
  setInterval(() => {
    const now = Atomics.load(state, 0);
    still = now === beats && Atomics.load(state, 2) === 0 ? still + INTERVAL : 0;
    beats = now;
    if (Atomics.load(state, 1) === 1) ending += INTERVAL;
    if (ending >= END_TIMEOUT) end('The server did not end in time, and is killed.');
    if (still >= (Atomics.load(state, 3) === 1 ? PATIENCE : START_PATIENCE)) end('The event loop stands still, and the server is killed.');
  }, INTERVAL);
`;
