import { ArgoError } from '../../kit/errors.js';
import { unlessAborted } from '../../kit/within.js';
import { describe } from '../../protocols/tls/connect.js';
import { connectConsole } from '../../protocols/tls/lending-socket.js';
import type { ConsoleCall, Consoles, ConsoleStream } from '../driver.js';
import { openScreen, reachable } from '../screen.js';
import type { Dom0 } from './context.js';
import type { Row } from './output.js';
import { Terminal } from './terminal.js';

/** Xen's own address for screens where it has noted none (libxl_vncviewer_exec). */
const USUAL_LISTEN = '127.0.0.1';

export const consolesOf = (dom0: Dom0, name: string): Consoles => ({
  vnc: async ({ signal }) => openScreenOf(dom0, await dom0.running(name, signal), signal),
  text: async (call) => openText(dom0, await dom0.running(name, call.signal), call),
});

async function openText(dom0: Dom0, row: Row, { signal, force = false }: ConsoleCall): Promise<ConsoleStream> {
  const { domid } = row;
  const { terminals } = dom0;
  const held = terminals.get(domid);
  if (held !== undefined && force) {
    held.destroy(new ArgoError('BUSY', 'somebody else has taken it over'));
    await unlessAborted(held.ended, signal);
  }
  const details = await dom0.details(row, signal);
  const type = details?.type === undefined ? undefined : details.type === 'hvm' ? 'serial' : 'pv';
  const terminal = await Terminal.open(dom0.xenconsole, domid, type, signal);
  terminals.set(domid, terminal);
  void terminal.ended.then(() => { if (terminals.get(domid) === terminal) terminals.delete(domid); });
  return { stream: terminal };
}

async function openScreenOf(dom0: Dom0, { name, domid }: Row, signal: AbortSignal): Promise<ConsoleStream> {
  const port = Number(await readStore(dom0, domid, 'vnc-port', signal) ?? NaN);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new ArgoError('NOT SUPPORTED', `${name} has no screen by VNC`);
  const host = reachable(await readStore(dom0, domid, 'vnc-listen', signal) ?? USUAL_LISTEN);
  const password = await readStore(dom0, domid, 'vnc-pass', signal);
  const asOurs = (error: unknown): unknown => (signal.aborted ? error : new ArgoError('UNREACHABLE', `its screen at port ${port}: ${describe(error)}`, { cause: error }));
  const stream = await connectConsole({ host, port, noDelay: true }, signal).catch((error: unknown) => { throw asOurs(error); });
  return openScreen(stream, password, asOurs, signal);
}

/** What libxl has noted of a domain's console; undefined where it has not. */
async function readStore(dom0: Dom0, domid: number, key: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    // Raw: a password is told as it is.
    const { stdout } = await dom0.xenstoreRead.run(['-R', `/local/domain/${domid}/console/${key}`], { signal });
    return stdout === '' ? undefined : stdout;
  } catch (error) {
    if (error instanceof ArgoError && error.phrase === 'NOT SUPPORTED') return undefined;
    throw error;
  }
}
