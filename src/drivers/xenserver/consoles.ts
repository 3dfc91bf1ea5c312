import type { Duplex } from 'node:stream';
import { ArgoError } from '../../kit/errors.js';
import { refs, text } from '../../protocols/xapi/records.js';
import type { ConsoleCall, Consoles, ConsoleStream } from '../driver.js';
import { openScreen } from '../screen.js';
import type { PoolContext } from './context.js';
import { explain } from './errors.js';
import { readVm } from './readings.js';

/** What a console speaks, in XenAPI's words (class `console`, `protocol`), and what it is called where there is none. */
const SCREEN = { protocol: 'rfb', name: 'screen' } as const;
const TERMINAL = { protocol: 'vt100', name: 'text console' } as const;

/** The consoles of a VM, each on a connection of its own to the host that carries it. Only a VM's record tells which it has. */
export const consolesOf = (context: PoolContext, uuid: string): Consoles => ({
  vnc: async ({ signal }: ConsoleCall): Promise<ConsoleStream> =>
    openScreen(await connect(context, uuid, SCREEN, signal), undefined, (error) => explain(error, 'reads'), signal),
  text: async ({ signal }: ConsoleCall): Promise<ConsoleStream> => ({ stream: await connect(context, uuid, TERMINAL, signal) }),
});

function connect(context: PoolContext, uuid: string, { protocol, name }: typeof SCREEN | typeof TERMINAL, signal: AbortSignal): Promise<Duplex> {
  return context.use('reads', async () => {
    const vm = await readVm(context, uuid, signal);
    const state = text(vm.power_state);
    // Of one that is paused, xapi shows nothing either.
    if (state !== 'Running') throw new ArgoError('WRONG STATE', `it is ${state.toLowerCase()}; running is needed`);
    for (const handle of refs(vm.consoles)) {
      const console = await context.record('console', handle, signal);
      if (text(console.protocol) === protocol) return context.pool.openConsole(text(console.location), signal);
    }
    throw new ArgoError('NOT SUPPORTED', `the pool has no ${name} for it (of protocol ${protocol})`);
  });
}
