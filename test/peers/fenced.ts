import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { which } from '../support/peers.js';
import { until } from '../support/until.js';
import { Enclosure, makeFolders, type Outcome } from './enclosure.js';

/** Programs that a test with this needs; the daemon is in no PATH, and in one package with pacemakerd. */
export const FENCED_PROGRAMS = ['pacemakerd', 'stonith_admin', 'unshare', 'nsenter'];
const DAEMON = '/usr/lib/pacemaker/pacemaker-fenced';
/** Where Pacemaker looks for fence agents. */
const AGENTS = '/usr/sbin';
const START_TIMEOUT_MS = 60_000;

/** Pacemaker's fencer without a cluster, and `stonith_admin`, for which an agent is installed. */
export class Fenced {
  readonly #enclosure: Enclosure;

  private constructor(enclosure: Enclosure) {
    this.#enclosure = enclosure;
  }

  /** @param agent the path of a fence agent, which Pacemaker then has by its name */
  static async start(agent: string): Promise<Fenced> {
    const enclosure = await Enclosure.start((scratch) => {
      makeFolders(scratch, 'shm');
      const [sbin, program] = [join(scratch, 'sbin'), which('stonith_admin') ?? ''];
      mkdirSync(sbin, { mode: 0o755 });
      copyFileSync(program, join(sbin, basename(program)));
      symlinkSync(agent, join(sbin, basename(agent)));
      return { [sbin]: AGENTS, [join(scratch, 'shm')]: '/dev/shm' };
    });
    const fenced = new Fenced(enclosure);
    const log = join(enclosure.scratch, 'fenced.log');
    try {
      // in the machine's network, where the agent finds the server; fencer and admin meet at a socket of it, too
      const daemon = enclosure.daemon(['env', `PCMK_logfile=${log}`, DAEMON, '--stand-alone'], `${log}.out`, 'machine');
      await until(async () => {
        if (daemon.exitCode !== null) throw new Error(`pacemaker-fenced ended: ${readFileSync(`${log}.out`, 'utf8')}`);
        return (await fenced.admin('--list-registered')).code === 0;
      }, START_TIMEOUT_MS, 'pacemaker-fenced');
      return fenced;
    } catch (error) {
      await enclosure.stop();
      throw error;
    }
  }

  /** `stonith_admin` with some arguments. */
  admin(...args: readonly string[]): Promise<Outcome> {
    return this.#enclosure.runBeside('stonith_admin', ...args);
  }

  stop(): Promise<void> {
    return this.#enclosure.stop();
  }
}
