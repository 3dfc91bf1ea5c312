import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError, toArgoError } from '../../kit/errors.js';
import type { Log } from '../../kit/log.js';
import { unlessAborted, within } from '../../kit/within.js';
import type { Facts, Machine, PowerState } from '../driver.js';

/** Hosts whose power a management board (BMC) switches, beside what their own system or manager can do. */

/** After a start by the board, how long `on` waits for a sign of life from the host's system, ms: less than an action may take. */
const BOOT_WINDOW_MS = 240_000;
/** How long the board's word is waited for before the host itself is asked too, ms. */
const BOARD_FIRST_MS = 2000;
/** For one look at a board that several callers share, ms: less than a reading may take; and for a listing's, which waits its turn. */
const LOOK_LIMIT_MS = 8_000;
const BACKGROUND_LIMIT_MS = 60_000;
/** For the boot mark of a system that may hang, before its reset, ms. */
const BOOT_MARK_LIMIT_MS = 5_000;

/** `soft` is the ACPI power button, pressed once. */
export type BoardOrder = 'on' | 'off' | 'soft' | 'reset';

/** A management board. All of its errors are ArgoErrors, or the signal's reason. */
export interface Board {
  /** for people, without secrets */
  readonly title: string;
  /** What it says of the machine's power now. @param isBackground one of a listing: people go first */
  power(signal: AbortSignal, isBackground: boolean): Promise<PowerState>;
  /** Gives an order, once. @throws ArgoError UNCERTAIN where it may have been carried out; any other where it was not */
  order(order: BoardOrder, signal: AbortSignal): Promise<void>;
  /** Ends its sessions. */
  close(): Promise<void>;
}

export interface BoardParts {
  readonly board: Board;
  readonly log: Log;
  /** whether the board may press the power button where the host's system cannot be asked to shut down */
  readonly mayPressButton: boolean;
  /** Ends further magic packets of the host's own, which would undo an order to stop. */
  forgetWake(): void;
}

/** What drivers have of their hosts beyond the contract. */
interface HostMachine extends Machine {
  look?(signal: AbortSignal, isBackground: true): Promise<PowerState>;
  close?(): void | Promise<void>;
}

/** Errors by which a board tells nothing, so that others may be asked. */
const isSilence = ({ phrase }: ArgoError): boolean => phrase === 'UNREACHABLE' || phrase === 'BUSY' || phrase === 'TIMEOUT';

/** A board's own errors begin with its name, behind the phrase. */
const nameOnce = (title: string, trouble: string): string => (trouble.includes(title) ? trouble : `${title}: ${trouble}`);

/** The steps of one host that its board takes, or takes part in. */
class BoardedHost {
  #people: Promise<PowerState> | undefined;
  #background: Promise<PowerState> | undefined;
  #bootsSince: number | undefined;
  /** what it was told of the board when it last could not be asked */
  #trouble: string | undefined;
  readonly #own: HostMachine;
  readonly #parts: BoardParts;

  constructor(own: HostMachine, parts: BoardParts) {
    this.#own = own;
    this.#parts = parts;
  }

  /**
   * The board's word. Where it cannot be had, a sign of life counts, but silence is no `off`.
   * @throws ArgoError where the board refuses us and the host gives no sign; the signal's reason
   */
  async status(signal: AbortSignal, isBackground = false): Promise<PowerState> {
    const asked = this.#ask(signal, isBackground).catch((error: unknown) => {
      signal.throwIfAborted();
      if (!(error instanceof ArgoError)) throw error;
      return error;
    });
    const wasSilent = this.#trouble !== undefined;
    const soon = await Promise.race([asked, pause(wasSilent ? 0 : BOARD_FIRST_MS, undefined, { ref: false })]);
    if (soon !== undefined) return this.#judge(soon, signal);
    const seen = this.#seen(signal);
    const signOfLife = seen.then((state) => (wasSilent && state === 'on' ? state : asked));
    // Who hears of one of them first does not wait for the other.
    for (const each of [asked, seen, signOfLife]) each.catch(() => undefined);
    const said = await Promise.race([asked, signOfLife]);
    return this.#judge(said, signal, seen);
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#order('on', signal, this.#own.start?.bind(this.#own));
    this.#bootsSince = performance.now();
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return this.#order('off', signal, this.#own.powerOff?.bind(this.#own));
  }

  reset(signal: AbortSignal): Promise<void> {
    return this.#order('reset', signal, this.#own.reset?.bind(this.#own));
  }

  /** By the host's own system; by the power button where that cannot be asked. */
  async shutdown(signal: AbortSignal): Promise<void> {
    this.#bootsSince = undefined;
    try {
      await this.#own.shutdown!(signal);
    } catch (error) {
      if (!this.#parts.mayPressButton || !(error instanceof ArgoError) || error.phrase !== 'UNREACHABLE' || signal.aborted) throw error;
      this.#parts.log('info', 'a host cannot be asked to shut down: its board presses the power button', { host: this.#own.name, reason: error.detail });
      await this.#order('soft', signal, undefined).catch((trouble: unknown) => {
        if (!(trouble instanceof ArgoError) || trouble.phrase !== 'UNREACHABLE') throw trouble;
        throw new ArgoError('UNREACHABLE', `${error.detail}; nor can its power button be pressed: ${trouble.detail}`, { cause: error });
      });
    }
  }

  /** @throws ArgoError FAILED where its system does not tell: a reset is given all the same, where nobody waits for it */
  async bootMark(signal: AbortSignal): Promise<string> {
    try {
      return await within(BOOT_MARK_LIMIT_MS, [signal], (limit) => this.#own.bootMark!(limit));
    } catch (error) {
      signal.throwIfAborted();
      throw new ArgoError('FAILED', `its system does not tell since when it runs, so a reboot cannot be verified; leave out --wait (${toArgoError(error).detail || 'no answer'})`, { cause: error });
    }
  }

  /** Of the board also where the host's system cannot be asked: then it is wanted most. */
  async info(signal: AbortSignal): Promise<Facts> {
    const facts = await this.#own.info!(signal).catch((error: unknown): Facts => {
      if (signal.aborted || !(error instanceof ArgoError)) throw error;
      return { more: { error: error.message } };
    });
    const { title } = this.#parts.board;
    return { ...facts, more: { ...facts.more, board: this.#trouble === undefined ? title : nameOnce(title, this.#trouble) } };
  }

  async close(): Promise<void> {
    await Promise.all([this.#own.close?.(), this.#parts.board.close()]);
  }

  /** One look for all who ask at a time, since boards are slow; people do not wait for one that stands behind a listing's. */
  async #ask(signal: AbortSignal, isBackground: boolean): Promise<PowerState> {
    signal.throwIfAborted();
    const look = this.#people ?? (isBackground ? this.#background : undefined) ?? this.#look(isBackground);
    return unlessAborted(look, signal);
  }

  #look(isBackground: boolean): Promise<PowerState> {
    const look = within(isBackground ? BACKGROUND_LIMIT_MS : LOOK_LIMIT_MS, [], (limit) =>
      this.#parts.board.power(limit, isBackground).catch((error: unknown) => {
        throw limit.aborted ? new ArgoError('UNREACHABLE', 'its board does not answer in time', { cause: error }) : error;
      }),
    )
      .then(
        (state) => {
          this.#note(undefined);
          return state;
        },
        (error: unknown) => {
          this.#note(error);
          throw error;
        },
      )
      .finally(() => {
        if (this.#people === look) this.#people = undefined;
        if (this.#background === look) this.#background = undefined;
      });
    look.catch(() => undefined);
    if (isBackground) this.#background = look;
    else this.#people = look;
    return look;
  }

  /** @param otherwise the host's own way, where the order certainly did not reach the board */
  async #order(order: BoardOrder, signal: AbortSignal, otherwise: ((signal: AbortSignal) => Promise<void>) | undefined): Promise<void> {
    if (order !== 'on') this.#parts.forgetWake();
    this.#bootsSince = undefined;
    try {
      await this.#parts.board.order(order, signal);
    } catch (error) {
      if (otherwise === undefined || signal.aborted || !(error instanceof ArgoError) || error.phrase !== 'UNREACHABLE') throw error;
      await otherwise(signal);
    } finally {
      // What was asked before the order says nothing of what came of it.
      this.#people = this.#background = undefined;
    }
  }

  async #judge(said: PowerState | ArgoError, signal: AbortSignal, seen?: Promise<PowerState>): Promise<PowerState> {
    if (!(said instanceof ArgoError)) return said === 'on' && await this.#isBooting(signal) ? 'starting' : said;
    const state = await (seen ?? this.#seen(signal));
    if (state !== 'off' && state !== 'unknown') return state;
    if (!isSilence(said)) throw said;
    return 'unknown';
  }

  /** What the host's own driver sees of it. @throws the signal's reason */
  async #seen(signal: AbortSignal): Promise<PowerState> {
    return this.#own.status(signal).catch((error: unknown) => {
      signal.throwIfAborted();
      if (!(error instanceof ArgoError)) throw error;
      return 'unknown';
    });
  }

  /** Whether it was started a while ago, and nothing has been seen of its system since. */
  async #isBooting(signal: AbortSignal): Promise<boolean> {
    if (this.#bootsSince === undefined) return false;
    const isOver = performance.now() - this.#bootsSince > BOOT_WINDOW_MS;
    if (!isOver && await this.#own.status(signal).catch(() => 'unknown') !== 'on') {
      signal.throwIfAborted();
      return true;
    }
    this.#bootsSince = undefined;
    return false;
  }

  /** Each trouble is told once, not at every poll. */
  #note(error: unknown): void {
    const trouble = error === undefined ? undefined : toArgoError(error).message;
    if (trouble !== undefined && trouble !== this.#trouble) {
      this.#parts.log('warn', 'a host\'s board does not tell its power', { host: this.#own.name, board: this.#parts.board.title, reason: trouble });
    }
    this.#trouble = trouble;
  }
}

/**
 * A host as its driver made it, with the power steps of its board in the place of its own.
 * @param parts undefined for a host without a board, which stays as it is
 */
export function withBoard<Host extends HostMachine>(own: Host, parts: BoardParts | undefined): Host {
  if (parts === undefined) return own;
  const host = new BoardedHost(own, parts);
  const steps: Partial<HostMachine> = {
    status: (signal) => host.status(signal),
    start: (signal) => host.start(signal),
    powerOff: (signal) => host.powerOff(signal),
    reset: (signal) => host.reset(signal),
    ...(own.shutdown && { shutdown: (signal: AbortSignal) => host.shutdown(signal) }),
    ...(own.bootMark && { bootMark: (signal: AbortSignal) => host.bootMark(signal) }),
    ...(own.info && { info: (signal: AbortSignal) => host.info(signal) }),
    ...(own.look && { look: (signal: AbortSignal) => host.status(signal, true) }),
    ...(own.close && { close: () => host.close() }),
  };
  // Everything else is the driver's own machine, whose private fields want it as `this`.
  return new Proxy(own, {
    get: (target, key) => {
      if (Object.hasOwn(steps, key)) return Reflect.get(steps, key) as unknown;
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
