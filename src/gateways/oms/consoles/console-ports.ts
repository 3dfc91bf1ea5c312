import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { InstanceInfo } from '../../../instances/info.js';
import type { ConsoleKind } from '../../../drivers/driver.js';
import type { Deadline } from '../../../kit/deadline.js';
import type { Log } from '../../../kit/log.js';
import { OMS_CONSOLE_UNUSED, OMS_CONSOLES_OF_SESSION, OMS_PORTS_OF_ACCOUNT } from '../../../kit/oms-limits.js';
import type { EntranceSettings } from '../../../listening/entrance.js';
import { HttpError, type Arrival, type HttpDoors, type HttpMount } from '../../../listening/http.js';
import { serveConsole } from '../../shared/serve-console.js';
import type { Session, Sessions } from '../../shared/sessions.js';
import { consoleSocketServer, drainWebSockets } from '../../shared/web-socket-server.js';
import { OmsError, type FaultName } from '../faults.js';
import type { PortPool } from '../options.js';
import { sessidOf } from '../sessid.js';

/** Screens of machines, and shells of hosts: each has a pool of ports, and errors, of its own. */
export type PortKind = 'VNC' | 'SSH';

/** What is opened when somebody connects. */
const CONSOLES: Readonly<Record<PortKind, ConsoleKind>> = { VNC: 'vnc', SSH: 'shell' };

/** How the errors of a kind are called, which differ in their spelling. */
const FAULTS_OF = {
  VNC: { again: 'VNCAreadySetUpError', other: 'VNCAreadySetUpAnotherSessionError', full: 'VNCPoolSpotSetUpError', port: 'VNCTunnelSetUpError' },
  SSH: { again: 'SSHAlreadySetUpError', other: 'SSHAlreadySetUpAnotherSessionError', full: 'SSHPoolSpotSetUpError', port: 'SSHTunnelSetUpError' },
} as const satisfies Readonly<Record<PortKind, Readonly<Record<string, FaultName>>>>;

/** One console that is set up: a port that listens, and what is behind it. */
export interface ConsoleSpot {
  readonly kind: PortKind;
  readonly session: Session;
  /** as the client named it */
  readonly host: string;
  readonly machine: InstanceInfo;
  readonly port: number;
}

interface Kept extends ConsoleSpot {
  mount: HttpMount | undefined;
  /** WebSockets that are open on it */
  open: number;
  unused: NodeJS.Timeout | undefined;
}

export interface ConsolePortsParts {
  readonly http: HttpDoors;
  readonly sessions: Pick<Sessions, 'find' | 'hold'>;
  readonly log: Log;
}

/** Where consoles are to listen, and by which ports. */
export interface ConsolePlaces {
  /** of the gateway: the ports are at the same addresses, inside TLS where that is */
  readonly entrance: EntranceSettings;
  readonly pools: Readonly<Record<PortKind, PortPool>>;
}

/**
 * Consoles by a port each, as OMS had them: a port listens from the call that sets it up until it is removed, its session ends,
 * or nobody has been connected for a while. It is that session's alone: whoever connects shows the session's key.
 */
export class ConsolePorts {
  /** by port */
  readonly #kept = new Map<number, Kept>();
  readonly #parts: ConsolePortsParts;
  readonly #sockets = consoleSocketServer();
  #places: ConsolePlaces;

  constructor(places: ConsolePlaces, parts: ConsolePortsParts) {
    this.#places = places;
    this.#parts = parts;
  }

  /** Other places, for those that are set up from now on. */
  replace(places: ConsolePlaces): void {
    this.#places = places;
  }

  /** Those of a session. */
  of(kind: PortKind, session: Session): readonly ConsoleSpot[] {
    return [...this.#kept.values()].filter((one) => one.kind === kind && one.session.id === session.id && one.mount !== undefined);
  }

  /** @returns the port, which listens @throws OmsError */
  async setUp(kind: PortKind, session: Session, host: string, machine: InstanceInfo): Promise<number> {
    const faults = FAULTS_OF[kind];
    const same = [...this.#kept.values()].find((one) => one.kind === kind && one.machine.provider === machine.provider && one.machine.id === machine.id);
    if (same?.session.id === session.id) throw new OmsError(faults.again, `${machine.name} is set up by this session already, on port ${same.port}`);
    if (same !== undefined) throw new OmsError(faults.other, `${machine.name} is set up by another session`);
    if ([...this.#kept.values()].filter((one) => one.kind === kind && one.session.id === session.id).length >= OMS_CONSOLES_OF_SESSION) {
      throw new OmsError(faults.full, `this session has ${OMS_CONSOLES_OF_SESSION} set up`);
    }
    const { first, last } = this.#places.pools[kind];
    const most = Math.max(OMS_CONSOLES_OF_SESSION, Math.floor((last - first + 1) * OMS_PORTS_OF_ACCOUNT));
    if ([...this.#kept.values()].filter((one) => one.kind === kind && one.session.member.name === session.member.name).length >= most) {
      throw new OmsError(faults.full, `${most} are set up by sessions of this account`);
    }
    let refusal: unknown;
    for (let port = first; port <= last; port += 1) {
      if (this.#kept.has(port)) continue;
      try {
        await this.#listen({ kind, session, host, machine, port, mount: undefined, open: 0, unused: undefined });
        return port;
      } catch (error) {
        // another program has it
        refusal = error;
      }
    }
    if (refusal === undefined) throw new OmsError(faults.full, `all ports from ${first} to ${last} are in use`);
    this.#parts.log('warn', 'no port for a console', { kind, first, last, reason: String(refusal) });
    throw new OmsError(faults.port, `none of the ports from ${first} to ${last} that are left can be opened`);
  }

  /** Lets go of one; whoever is connected is cut off. */
  remove({ port }: ConsoleSpot): void {
    const kept = this.#kept.get(port);
    if (kept === undefined) return;
    this.#kept.delete(port);
    clearTimeout(kept.unused);
    kept.mount?.close();
  }

  /** A session has ended, and its consoles with it. */
  endSession({ id }: Session): void {
    for (const one of [...this.#kept.values()]) if (one.session.id === id) this.remove(one);
  }

  drain(deadline: Deadline): Promise<void> {
    return drainWebSockets([this.#sockets], deadline);
  }

  close(): void {
    [...this.#kept.values()].forEach((one) => this.remove(one));
  }

  async #listen(spot: Kept): Promise<void> {
    const { port, session } = spot;
    const { entrance } = this.#places;
    const at = <T extends { readonly port: number }>(endpoints: readonly T[]): T[] => endpoints.map((one) => ({ ...one, port }));
    // kept at once: who asks meanwhile takes another port, and not the same machine
    this.#kept.set(port, spot);
    const mount = this.#parts.http.mount(answerPlain, (...asked) => this.#upgrade(spot, ...asked));
    try {
      const plain = entrance.tlsListen.length > 0 ? [] : entrance.listen;
      const { commit, cancel } = await mount.prepare({ ...entrance, listen: at(plain), tlsListen: at(entrance.tlsListen) }, '/');
      // ended while it was being opened
      if (session.signal.aborted || this.#kept.get(port) !== spot) {
        await cancel();
        throw new OmsError('AuthError', 'the session is over');
      }
      commit();
      spot.mount = mount;
      this.#watch(spot);
    } catch (error) {
      if (this.#kept.get(port) === spot) this.#kept.delete(port);
      throw error;
    }
  }

  /** Ends one that nobody is connected to. */
  #watch(spot: Kept): void {
    clearTimeout(spot.unused);
    if (spot.open === 0) spot.unused = setTimeout(() => this.remove(spot), OMS_CONSOLE_UNUSED).unref();
  }

  #upgrade(spot: Kept, request: IncomingMessage, socket: Socket, head: Buffer, { query, from, address }: Arrival): void {
    const { session, machine, kind } = spot;
    const sessid = sessidOf(query, request.headers['sec-websocket-protocol']);
    const known = sessid === undefined ? undefined : this.#parts.sessions.find(sessid, address);
    // of another session, or of none: nobody is told which
    if (known?.id !== session.id) throw new HttpError(403, 'the SESSID is not that of who has set this up');
    this.#sockets.handleUpgrade(request, socket, head, (web) => {
      spot.open += 1;
      clearTimeout(spot.unused);
      const release = this.#parts.sessions.hold(session);
      const actor = session.member.actor(from);
      void serveConsole(web, { ended: session.signal, open: (signal) => actor.console(machine, { kind: CONSOLES[kind] }, { signal }) }).finally(() => {
        release();
        spot.open -= 1;
        if (this.#kept.get(spot.port) === spot) this.#watch(spot);
      });
    });
  }
}

function answerPlain(): never {
  throw new HttpError(426, 'a WebSocket is spoken here', { upgrade: 'websocket', 'x-content-type-options': 'nosniff' });
}
