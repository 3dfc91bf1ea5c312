import { readPassword } from '../../config/secret.js';
import { ArgoError, type Phrase } from '../../kit/errors.js';
import { Lockout } from '../../kit/lockout.js';
import type { Log } from '../../kit/log.js';
import { BoardError, type BoardFault } from '../../protocols/board/errors.js';
import { chassisOrder, chassisPower, type IpmiAccess } from '../../protocols/ipmi/ipmitool.js';
import { RedfishSystem } from '../../protocols/redfish/system.js';
import { beforeSending } from '../../kit/within.js';
import type { PowerState } from '../driver.js';
import { passwordTrust } from '../tls/options.js';
import type { Board, BoardOrder, BoardParts } from './board.js';
import { IPMI_PORT, type PowerTable } from './board-options.js';
import type { HostPower } from './power.js';

const PHRASES: Readonly<Record<BoardFault, Phrase>> = {
  silent: 'UNREACHABLE',
  'no program': 'UNREACHABLE',
  certificate: 'CERTIFICATE REJECTED',
  'login refused': 'ACCESS DENIED',
  'right missing': 'ACCESS DENIED',
  busy: 'BUSY',
  unsupported: 'NOT SUPPORTED',
  'wrong state': 'WRONG STATE',
  failed: 'FAILED',
  lost: 'UNCERTAIN',
};

/** Read anew for each use, so that a file that was put right is used without a restart. @throws ArgoError, which names a file or variable that cannot be read */
function passwordOf(table: PowerTable): string {
  try {
    return readPassword(table)?.reveal() ?? '';
  } catch (error) {
    throw new ArgoError('UNREACHABLE', (error as Error).message, { cause: error });
  }
}

type TableOf<Type extends PowerTable['type']> = Extract<PowerTable, { type: Type }>;

/** What both kinds share: the password, the guard of the account, and the words for people. */
abstract class LoginBoard {
  readonly #table: PowerTable;
  readonly #lockout: Lockout;

  /** @param place of the board, whose account it is: with the port where that is not the usual one, since several may stand behind one address */
  constructor(readonly title: string, place: string, table: PowerTable) {
    this.#table = table;
    const asRefusal = (error: unknown, hint: string): Error | undefined =>
      (error instanceof BoardError && error.fault === 'login refused' ? new ArgoError('ACCESS DENIED', `${title}: ${error.message}; ${hint}`, { cause: error }) : undefined);
    this.#lockout = new Lockout(asRefusal, { realm: `board ${place}` });
  }

  protected async call<Answer>(signal: AbortSignal, work: (password: string) => Promise<Answer>): Promise<Answer> {
    const password = passwordOf(this.#table);
    try {
      return await this.#lockout.guard([this.#table.user, password], () => work(password), signal);
    } catch (error) {
      throw error instanceof BoardError ? new ArgoError(PHRASES[error.fault], `${this.title}: ${error.message}`, { cause: error }) : error;
    }
  }
}

/** A board that speaks IPMI. */
class IpmiBoard extends LoginBoard implements Board {
  readonly #access: IpmiAccess;

  constructor(table: TableOf<'ipmi'>) {
    const { host, port, user, privilege, 'cipher-suite': cipherSuite } = table;
    super(`ipmi ${host}`, port === IPMI_PORT ? host : `${host}:${port}`, table);
    this.#access = { host, port, user, privilege, cipherSuite };
  }

  power(signal: AbortSignal, isBackground: boolean): Promise<PowerState> {
    return this.call(signal, (password) => chassisPower(this.#access, { password, signal, background: isBackground }));
  }

  order(order: BoardOrder, signal: AbortSignal): Promise<void> {
    return beforeSending(signal, () => this.call(signal, (password) => chassisOrder(this.#access, order, { password, signal })));
  }

  /** Each command has a session of its own. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A board that speaks Redfish. */
class RedfishBoard extends LoginBoard implements Board {
  readonly #system: RedfishSystem;

  constructor(table: TableOf<'redfish'>) {
    const origin = new URL(table.url);
    super(`redfish ${origin.host}`, origin.host, table);
    this.#system = new RedfishSystem({ origin, user: table.user, trust: () => passwordTrust(table, origin) }, table.system);
  }

  power(signal: AbortSignal): Promise<PowerState> {
    return this.call(signal, (password) => this.#system.power({ password, signal }));
  }

  order(order: BoardOrder, signal: AbortSignal): Promise<void> {
    return beforeSending(signal, (sending) => this.call(signal, (password) => this.#system.order(order, { password, signal, onSend: sending })));
  }

  close(): Promise<void> {
    return this.#system.close();
  }
}

/**
 * The board of a host, if it has one.
 * @param mayPressButton whether the power button may take the place of a clean shutdown that the host's system cannot be asked for
 */
export function boardOf(power: HostPower, log: Log, mayPressButton: boolean): BoardParts | undefined {
  const { power: table, name } = power.host;
  if (table === undefined) return undefined;
  if (table.type === 'redfish' && table.insecure) log('warn', 'insecure = true: whoever answers in the place of a host\'s board gets its password', { host: name });
  const board = table.type === 'ipmi' ? new IpmiBoard(table) : new RedfishBoard(table);
  return { board, log, mayPressButton, forgetWake: () => power.forgetWake() };
}
