import type { ConsoleKind, ConsoleSize } from '../drivers/driver.js';
import type { Duplex } from 'node:stream';
import { ArgoError, TAKES_IT_OVER, toArgoError, withoutCause } from '../kit/errors.js';
import { Deadline, explainDeadline } from '../kit/deadline.js';
import { CONSOLE_IDLE, CONSOLE_OPEN_TIMEOUT, CONSOLES, CONSOLES_PER_ACCOUNT } from '../kit/console-limits.js';
import type { Log } from '../kit/log.js';
import { formatDuration } from '../kit/text.js';
import { notLonger, onAbort } from '../kit/within.js';
import type { AuditLog } from '../store/audit-entry.js';
import { copySize, noConsole, type ConsoleOrder } from './console-order.js';
import { ConsolePipe } from './console-pipe.js';
import type { Instance } from './instance.js';
import type { OperationName } from './operation-table.js';
import type { Call } from './order.js';
import { lostWords, type Mandate } from './principal.js';
import type { Registry } from './registry.js';
import { RfbViewer } from './rfb-viewer.js';
import { commandOf } from './running-tasks.js';

/** Who has a console of the same machine open. */
export interface ConsoleHolder {
  readonly account: string;
  readonly kind: ConsoleKind;
  readonly since: Date;
}

/** A console that is open. */
export interface OpenConsole {
  /** bytes both ways; of `vnc`: RFB from the server's first line on, without a password. `destroy()` ends it */
  readonly stream: Duplex;
  /** who had a console of this machine when it was opened */
  readonly others: readonly ConsoleHolder[];
  /** its number in the audit */
  readonly auditId: number;
  /** Tells the machine of a new size, where it can be told. @throws ArgoError BAD REQUEST */
  resize(size: ConsoleSize): void;
}

/** What may be done with a console of an actor, for whoever made the actor. */
export interface HeldConsole {
  /** @param reason what whoever has it is told */
  end(reason: ArgoError): void;
}

interface Parts {
  readonly registry: Registry;
  readonly audit: AuditLog;
  readonly log: Log;
}

/** One console, from the order to its end. */
class Session implements HeldConsole {
  readonly since = new Date();
  readonly deadline: Deadline;
  pipe: ConsolePipe | undefined;
  reason: ArgoError | undefined;

  constructor(readonly mandate: Mandate, readonly instance: Instance, readonly operation: OperationName, readonly kind: ConsoleKind, ms: number) {
    this.deadline = new Deadline(ms);
  }

  end(reason: ArgoError): void {
    this.reason ??= reason;
    this.deadline.abort(this.reason);
    this.pipe?.destroy(this.reason);
  }
}

/** The consoles that are open: how many, whose, and when they have to end. */
export class Consoles {
  readonly #parts: Parts;
  readonly #sessions = new Set<Session>();
  #ending: ArgoError | undefined;
  #whenNone: (() => void) | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Who has a console of an instance now. */
  holders(instance: Instance): readonly ConsoleHolder[] {
    return [...this.#sessions]
      .filter((one) => one.pipe !== undefined && one.instance.fullName === instance.fullName)
      .map(({ mandate, kind, since }) => Object.freeze({ account: mandate.identity.name, kind, since }));
  }

  /**
   * Opens one for an operation that was allowed.
   * @param held told of it at once, so that it can be ended while it is being opened
   * @throws ArgoError
   */
  async open(
    mandate: Mandate,
    instance: Instance,
    operation: OperationName,
    order: ConsoleOrder,
    call: Call,
    held: (one: HeldConsole) => () => void,
  ): Promise<OpenConsole> {
    const opener = instance.machine.console?.[order.kind];
    if (opener === undefined) throw lacks(instance, order);
    this.#requirePlace(mandate.identity.name);
    const session = new Session(mandate, instance, operation, order.kind, call.deadline ?? CONSOLE_OPEN_TIMEOUT);
    this.#sessions.add(session);
    const ends = [
      held(session),
      mandate.identity.onTakenAway(() => session.end(new ArgoError('NOT ALLOWED', lostWords(mandate.identity)))),
      instance.owner.hold(() => session.end(new ArgoError('UNREACHABLE', 'the provider is being closed'))),
      call.signal === undefined
        ? () => undefined
        : onAbort(call.signal, () => session.end(new ArgoError('UNREACHABLE', 'nobody waits for it any longer'))),
    ];
    const leave = (): void => {
      ends.forEach((end) => end());
      session.deadline.clear();
      this.#sessions.delete(session);
      if (this.#sessions.size === 0) this.#whenNone?.();
    };
    try {
      return await this.#begin(session, order, leave);
    } catch (thrown) {
      leave();
      throw thrown;
    }
  }

  /** Ends what may not be done any longer. */
  review(isAllowed: (mandate: Mandate, operation: OperationName, instance: Instance) => boolean): void {
    for (const one of this.#sessions)
      if (!isAllowed(one.mandate, one.operation, one.instance)) one.end(new ArgoError('NOT ALLOWED'));
  }

  /** Ends all, and opens none from then on. @param ms in which their ends have to be recorded */
  async drain(ms: number): Promise<void> {
    this.#ending = new ArgoError('SHUTTING DOWN');
    for (const one of this.#sessions) one.end(this.#ending);
    if (this.#sessions.size > 0)
      await notLonger(
        ms,
        new Promise<void>((resolve) => {
          this.#whenNone = resolve;
        }),
      );
  }

  #requirePlace(account: string): void {
    if (this.#ending) throw this.#ending;
    if (this.#sessions.size >= CONSOLES) throw new ArgoError('BUSY', `${CONSOLES} consoles are open already`);
    let own = 0;
    for (const { mandate } of this.#sessions) if (mandate.identity.name === account) own += 1;
    if (own >= CONSOLES_PER_ACCOUNT) throw new ArgoError('BUSY', `${account} has ${CONSOLES_PER_ACCOUNT} consoles open already`);
  }

  async #begin(session: Session, order: ConsoleOrder, leave: () => void): Promise<OpenConsole> {
    const { mandate, instance } = session;
    const others = this.holders(instance);
    const record = await this.#record(session, order);
    try {
      if (session.reason) throw session.reason;
      const open = instance.machine.console?.[order.kind];
      if (open === undefined) throw lacks(instance, order);
      const { size, force } = order;
      const opening = instance.owner.call(
        session.deadline,
        (signal) => {
          const made = open.call(instance.machine.console, { signal, ...(size && { size }), ...(force === true && { force }) });
          // one that comes after all, when nobody waits for it any longer
          void made.then(
            ({ stream }) => {
              if (signal.aborted) stream.destroy();
            },
            () => undefined,
          );
          return made;
        },
        { account: mandate.identity.name, urgency: 'order' },
      );
      const { stream: inner, resize } = await opening;
      if (session.reason) {
        inner.destroy();
        throw session.reason;
      }
      session.deadline.clear();
      const pipe = this.#pipe(session, inner, order);
      pipe.once('close', () => {
        const { sent, received } = ConsolePipe.bytesOf(pipe);
        const bytes = `${sent} bytes to it, ${received} from it`;
        const failure = session.reason ?? (pipe.errored ? toArgoError(pipe.errored) : undefined);
        void record(failure === undefined ? `done: ${bytes}` : `${failure.message} (${bytes})`, failure).finally(leave);
      });
      return Object.freeze({
        stream: pipe,
        others,
        auditId: record.auditId,
        resize: (given: ConsoleSize) => {
          const copy = copySize(given);
          if (!pipe.destroyed) resize?.(copy);
        },
      });
    } catch (thrown) {
      const error = toArgoError(told(explainDeadline(thrown, instance.name), others, order));
      await record(error.message, error);
      throw withoutCause(error);
    }
  }

  #pipe(session: Session, inner: Duplex, { kind, viewOnly }: ConsoleOrder): ConsolePipe {
    let idle: NodeJS.Timeout | undefined;
    const pipe = new ConsolePipe(inner, kind === 'vnc' ? new RfbViewer(viewOnly === true) : undefined, () => idle?.refresh());
    session.pipe = pipe;
    // whoever gets it may not listen for errors, and must not bring the server down by that
    pipe.on('error', () => undefined);
    if (kind !== 'vnc') {
      idle = setTimeout(
        () => session.end(new ArgoError('TIMEOUT', `nothing was typed or shown for ${formatDuration(CONSOLE_IDLE)}`)),
        CONSOLE_IDLE,
      ).unref();
      pipe.once('close', () => clearTimeout(idle));
    }
    return pipe;
  }

  /** Writes down that it begins. @returns writes down how it ended @throws ArgoError AUDIT UNAVAILABLE */
  async #record(
    session: Session,
    { kind, viewOnly, force }: ConsoleOrder,
  ): Promise<((outcome: string, failure: ArgoError | undefined) => Promise<void>) & { auditId: number }> {
    const { mandate, instance, operation } = session;
    const { audit, log, registry } = this.#parts;
    const options = [
      `--kind=${kind}`,
      ...(viewOnly === true ? ['--view-only'] : []),
      ...(force === true ? ['--force'] : []),
    ].join(' ');
    const facts = {
      account: mandate.identity.name,
      from: mandate.origin,
      command: wordOf(mandate, operation),
      instance: instance.fullName,
      options,
    };
    const auditId = await audit.begin(facts);
    const began = performance.now();
    const tell = (outcome: string, ms?: number): void => {
      const { account, command } = facts;
      registry.events?.add(
        {
          type: 'action',
          instance: instance.fullName,
          account,
          command,
          options,
          auditId,
          outcome,
          ...(ms === undefined ? {} : { ms }),
        },
        instance,
      );
    };
    tell('begun');
    log('info', 'console', { ...facts, outcome: 'begun' });
    return Object.assign(
      async (outcome: string, failure: ArgoError | undefined) => {
        await audit.end(auditId, outcome, performance.now() - began);
        tell(outcome, performance.now() - began);
        log('info', 'console', { ...facts, outcome, ...(failure?.cause === undefined ? {} : { cause: failure.cause }) });
      },
      { auditId },
    );
  }
}

function lacks({ name, machine, owner }: Instance, { kind }: ConsoleOrder): ArgoError {
  if (machine.far) return new ArgoError('NOT SUPPORTED', `${name} is at ${machine.far.place}, and its consoles are opened there`);
  return noConsole({ name, type: machine.type, providerType: owner.settings.type }, kind);
}

/** `console` and `shell`, where the commands of these names do it. */
function wordOf(mandate: Mandate, operation: OperationName): string {
  const word = mandate.through?.word;
  return word === 'console' || word === 'shell' ? word : commandOf(mandate, operation);
}

/** Whoever finds a console taken is told by whom, where that is known here, and what helps. */
function told(error: unknown, others: readonly ConsoleHolder[], { kind }: ConsoleOrder): unknown {
  if (!(error instanceof ArgoError) || error.phrase !== 'BUSY') return error;
  const holder = others.find((one) => one.kind === kind);
  return holder === undefined ? error : new ArgoError('BUSY', `${holder.account} has had it open since ${holder.since.toISOString()}${TAKES_IT_OVER}`, { cause: error });
}
