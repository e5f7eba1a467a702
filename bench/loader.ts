/** The other end of load.ts. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Job, Measured, Report } from './load.ts';

/** The process that makes the requests. */
export class Loader {
  readonly #process: ChildProcess;

  constructor() {
    this.#process = fork(join(import.meta.dirname, 'load.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /**
   * Does a job; the next one has to wait for it.
   *
   * @param watch called when measuring begins; what it returns is called when it ends
   */
  async run(job: Job, watch: () => () => void): Promise<Measured> {
    const { promise, resolve, reject } = Promise.withResolvers<Measured>();
    let end = () => {};
    const onMessage = (report: Report) => {
      if (report === 'begin') end = watch();
      else if (report === 'end') end();
      else if ('failure' in report) reject(new Error(`The load generator failed: ${report.failure}`));
      else resolve(report);
    };
    const onExit = () => reject(new Error('The load generator ended.'));
    this.#process.on('message', onMessage).once('exit', onExit);
    try {
      this.#process.send(job);
      return await promise;
    } finally {
      this.#process.off('message', onMessage).off('exit', onExit);
    }
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}
