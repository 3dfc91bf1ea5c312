import type { DriverHost } from '../../../src/drivers/driver.js';
import { Esxi, type Shell } from '../../../src/drivers/esxi-free/commands.js';
import { EsxiFreeDriver, type EsxiFreeParts } from '../../../src/drivers/esxi-free/driver.js';
import type { Presence } from '../../../src/drivers/esxi-free/host.js';
import { ArgoError } from '../../../src/kit/errors.js';
import { answer } from '../../peers/esxi/commands.js';
import type { EsxiModel } from '../../peers/esxi/model.js';

/** The most commands that ran side by side. */
export interface Counted extends Shell {
  most: number;
}

/** A simulated ESXi in this process, in the place of one at the end of an SSH session. */
export function shellOf(model: EsxiModel): Counted {
  let running = 0;
  const shell: Counted = {
    most: 0,
    run: async (effect, command, { signal, maxOutput }) => {
      signal.throwIfAborted();
      running += 1;
      shell.most = Math.max(shell.most, running);
      try {
        const { code, stdout, stderr, end } = await unlessAborted(answer(model, command, signal), signal);
        if (end === 'cut') throw new ArgoError(effect === 'acts' ? 'UNCERTAIN' : 'UNREACHABLE', 'the connection was lost');
        return { code: end === 'killed' ? 137 : code, stdout: stdout.slice(0, maxOutput), stderr, truncated: stdout.length > maxOutput };
      } finally {
        running -= 1;
      }
    },
  };
  return shell;
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    work.then(resolve, reject);
  });
}

/** What a driver told its host. */
export interface Told {
  readonly changed: { readonly id: string; readonly state: string }[];
  readonly logged: { readonly level: string; readonly message: string; readonly facts: unknown }[];
  relists: number;
}

/** A host as the network shows it: on, unless told otherwise. */
export function presence(given: { mac?: string; state?: () => 'on' | 'off'; wake?: () => void } = {}): Presence {
  return {
    host: { name: 'esx2', address: '192.0.2.1', mac: given.mac, wol: {}, ping: {} },
    status: () => Promise.resolve(given.state?.() ?? 'on'),
    canWake: given.mac !== undefined,
    wake: () => Promise.resolve(given.wake?.()),
    goDown: (order) => order(),
  };
}

/** A driver over a simulated ESXi. */
export function openDriver(model: EsxiModel, given: Partial<EsxiFreeParts> = {}): { driver: EsxiFreeDriver; told: Told; shell: Counted } {
  const told: Told = { changed: [], logged: [], relists: 0 };
  const host: DriverHost = {
    name: 'esx2',
    log: (level, message, facts) => { told.logged.push({ level, message, facts }); },
    changed: (id, state) => { told.changed.push({ id, state }); },
    relist: () => { told.relists += 1; },
    lost: () => undefined,
  };
  const shell = shellOf(model);
  const driver = new EsxiFreeDriver(
    {
      esxi: new Esxi(shell),
      presence: presence(),
      staysInMaintenance: false,
      pace: { question: 50, look: 20 },
      goingDown: () => undefined,
      close: () => undefined,
      ...given,
    },
    host,
  );
  return { driver, told, shell };
}

/** Of a caller with time. */
export const patient: AbortSignal = new AbortController().signal;

/** A signal whose timer keeps the test alive, as the daemon's sockets keep the daemon. */
export function after(milliseconds: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('given up')), milliseconds);
  return controller.signal;
}

/** How a piece of work ended: `done`, or the error as the user is told of it. */
export async function outcome(work: Promise<unknown> | undefined): Promise<string> {
  if (work === undefined) return 'not there';
  return work.then(() => 'done', (thrown: unknown) => thrown instanceof ArgoError ? thrown.message : `fault: ${String(thrown)}`);
}
