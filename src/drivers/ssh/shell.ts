import { ArgoError } from '../../kit/errors.js';
import type { SshSession } from '../../protocols/ssh/session.js';
import type { ConsoleCall, Consoles } from '../driver.js';
import { explainSsh } from './errors.js';

/** Of a terminal whose size nobody tells. */
const USUAL_SIZE = { columns: 80, rows: 24 };

/** What a host says that gives a login no terminal, in ssh2's words: sshd's `PermitTTY no`, or `no-pty` or `restrict` before its key. */
const NO_TERMINAL = /pseudo-terminal/;

/** A login shell on a host, with the provider's own login. */
export const loginShell = (session: SshSession): NonNullable<Consoles['shell']> => async ({ signal, size = USUAL_SIZE }: ConsoleCall) => {
  try {
    return await session.openShell(size, signal);
  } catch (error) {
    if (error instanceof Error && NO_TERMINAL.test(error.message)) throw new ArgoError('ACCESS DENIED', 'the host gives this login no terminal', { cause: error });
    throw explainSsh(error, 'reads');
  }
};
