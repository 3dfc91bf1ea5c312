import { readPassword } from '../../config/secret.js';
import { ArgoError, type Phrase } from '../../kit/errors.js';
import { HOLDS, Lockout } from '../../kit/lockout.js';
import type { Log } from '../../kit/log.js';
import { IpmiError, type IpmiFault } from '../../protocols/ipmi/errors.js';
import { chassisOrder, chassisPower, type IpmiAccess } from '../../protocols/ipmi/ipmitool.js';
import { beforeSending } from '../before-sending.js';
import type { PowerState } from '../driver.js';
import type { Board, BoardOrder, BoardParts } from './board.js';
import type { PowerTable } from './board-options.js';
import type { HostPower } from './power.js';

const PHRASES: Readonly<Record<IpmiFault, Phrase>> = {
  silent: 'UNREACHABLE',
  'login refused': 'ACCESS DENIED',
  'right missing': 'ACCESS DENIED',
  busy: 'BUSY',
  unsupported: 'NOT SUPPORTED',
  'wrong state': 'WRONG STATE',
  failed: 'FAILED',
  lost: 'UNCERTAIN',
  'no program': 'UNREACHABLE',
};

/** Read anew for each use, so that a file that was put right is used without a restart. @throws ArgoError, which names a file or variable that cannot be read */
function passwordOf(table: PowerTable): string {
  try {
    return readPassword(table)?.reveal() ?? '';
  } catch (error) {
    throw new ArgoError('UNREACHABLE', (error as Error).message, { cause: error });
  }
}

/** A board that speaks IPMI. */
class IpmiBoard implements Board {
  readonly title: string;
  readonly #table: Extract<PowerTable, { type: 'ipmi' }>;
  readonly #access: IpmiAccess;
  readonly #lockout: Lockout;

  constructor(table: Extract<PowerTable, { type: 'ipmi' }>) {
    const { host, port, user, privilege, 'cipher-suite': cipherSuite } = table;
    this.#table = table;
    this.#access = { host, port, user, privilege, cipherSuite };
    this.title = `ipmi ${host}`;
    const asRefusal = (error: unknown, hint: string): Error | undefined =>
      (error instanceof IpmiError && error.fault === 'login refused' ? new ArgoError('ACCESS DENIED', `${this.title}: ${error.message}; ${hint}`, { cause: error }) : undefined);
    this.#lockout = new Lockout(asRefusal, HOLDS, `board ${host}`);
  }

  power(signal: AbortSignal, isBackground: boolean): Promise<PowerState> {
    return this.#call((password) => chassisPower(this.#access, { password, signal, background: isBackground }), signal);
  }

  order(order: BoardOrder, signal: AbortSignal): Promise<void> {
    return beforeSending(signal, () => this.#call((password) => chassisOrder(this.#access, order, { password, signal }), signal));
  }

  /** Each command has a session of its own. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  async #call<Answer>(work: (password: string) => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    const password = passwordOf(this.#table);
    try {
      return await this.#lockout.guard([this.#table.user, password], () => work(password), signal);
    } catch (error) {
      throw error instanceof IpmiError ? new ArgoError(PHRASES[error.fault], `${this.title}: ${error.message}`, { cause: error }) : error;
    }
  }
}

/**
 * The board of a host, if it has one.
 * @param mayPressButton whether the power button may take the place of a clean shutdown that the host's system cannot be asked for
 */
export function boardOf(power: HostPower, log: Log, mayPressButton: boolean): BoardParts | undefined {
  const { power: table } = power.host;
  if (table?.type !== 'ipmi') return undefined;
  return { board: new IpmiBoard(table), log, mayPressButton, forgetWake: () => power.forgetWake() };
}
