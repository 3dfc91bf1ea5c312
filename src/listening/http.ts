import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoint } from '../config/values.js';
import { HTTP_DRAIN_LOOK } from '../kit/limits.js';
import type { Deadline } from '../kit/deadline.js';
import type { Log } from '../kit/log.js';
import { formatEndpoint } from '../kit/text.js';
import { prepareAll, type Change } from './change.js';
import type { EntranceSettings } from './entrance.js';
import { HttpPlace, type HttpHandler, type Mount, type Owner, type UpgradeHandler } from './http-place.js';
import { HttpError } from './visit.js';

export { type HttpHandler, type UpgradeHandler } from './http-place.js';
export { HttpError, type Arrival, type Visit } from './visit.js';

/** A place of the shared server, by what tells it from others. */
interface Held {
  readonly key: string;
  readonly place: HttpPlace;
}

/** HTTP for a gateway: it serves below a path, at addresses that it may share with others. */
export interface HttpDoors {
  /**
   * @param handler answers all requests below the path
   * @param upgrade takes connections over that are to speak another protocol there; left out: such requests are refused
   */
  mount(handler: HttpHandler, upgrade?: UpgradeHandler): HttpMount;
}

/** All the addresses at which the process speaks HTTP, and what is mounted there. */
export class SharedHttp {
  readonly #places = new Map<string, HttpPlace>();
  readonly #log: Log;
  readonly #moving: ReadonlySet<string>;

  /** @param moving names of the gateways whose paths others may take: these end, or prepare anew where they are to be */
  constructor(log: Log, moving: ReadonlySet<string>) {
    this.#log = log;
    this.#moving = moving;
  }

  /** @param name of the gateway: one that is loaded anew may take the paths of its predecessor of that name */
  doorsFor(name: string): HttpDoors {
    const owner: Owner = { name };
    const places: MountPlaces = {
      take: (settings) => this.#take(settings, name),
      release: (held) => this.#releaseIfUnused(held),
      mayReplace: (other) => other !== owner && (other.name === name || this.#moving.has(other.name)),
    };
    return { mount: (handler, upgrade) => new HttpMount({ handler, upgrade }, places, owner) };
  }

  /**
   * Places for all addresses of the settings: one that is there is shared, but for a port of the kernel's choice,
   * which each gateway has for itself.
   * @throws Error where a listener cannot be opened
   */
  async #take(settings: EntranceSettings, name: string): Promise<{ held: Held[]; change: Change }> {
    const steps = addressesOf(settings).map((one) => ({ one, key: keyOf(one, name) }));
    const held: Held[] = [];
    const change = await prepareAll(steps.map(({ one, key }) => async () => {
      const known = this.#places.get(key);
      const place = known ?? new HttpPlace(this.#log, name);
      const inner = await place.entrance.prepare(one);
      this.#places.set(key, place);
      held.push({ key, place });
      return { commit: inner.commit, cancel: async () => { await inner.cancel(); this.#releaseIfUnused({ key, place }); } };
    }));
    return { held, change };
  }

  #releaseIfUnused({ key, place }: Held): void {
    if (!place.isUnused || this.#places.get(key) !== place) return;
    this.#places.delete(key);
    place.close();
  }
}

/** How a mount comes to its places, and gives them back. */
interface MountPlaces {
  take(settings: EntranceSettings): Promise<{ held: Held[]; change: Change }>;
  release(held: Held): void;
  /** Whether a path that another one has is free when the change is done. */
  mayReplace(other: Owner): boolean;
}

/** What one gateway serves. */
export class HttpMount {
  readonly #handlers: { readonly handler: HttpHandler; readonly upgrade: UpgradeHandler | undefined };
  readonly #places: MountPlaces;
  readonly #owner: Owner;
  #held: readonly Held[] = [];
  #mount: Mount | undefined;
  /** requests under way, also at addresses that it has left */
  readonly #visits = new Set<ServerResponse>();
  /** connections that speak another protocol by now */
  readonly #taken = new Set<Socket>();
  #closed = false;

  constructor(handlers: { readonly handler: HttpHandler; readonly upgrade: UpgradeHandler | undefined }, places: MountPlaces, owner: Owner) {
    this.#handlers = handlers;
    this.#places = places;
    this.#owner = owner;
  }

  /**
   * Opens what is missing of its addresses. Called again it moves there; requests under way go on.
   * @param path `/metrics`
   * @throws Error where that cannot be; everything is then as before
   */
  async prepare(settings: EntranceSettings, path: string): Promise<Change> {
    const { held, change } = await this.#places.take(settings);
    const vacate = (): void => held.forEach(({ place }) => place.vacate(path, this.#owner));
    const cancel = (): Promise<void> => {
      vacate();
      return change.cancel();
    };
    const isFree = held.every(({ place }) => place.reserve(path, this.#owner)
      && !place.mounts.some((mount) => mount.path === path && mount !== this.#mount && !this.#places.mayReplace(mount.owner)));
    if (!isFree) {
      await cancel();
      throw new Error(`another gateway serves ${path} there already`);
    }
    return {
      commit: () => {
        change.commit();
        this.#move(held, {
          path, from: settings.from, owner: this.#owner,
          handler: (...asked) => this.#answer(...asked),
          upgrade: this.#handlers.upgrade && ((...asked) => this.#upgrade(...asked)),
        });
        vacate();
      },
      cancel,
    };
  }

  /** Where it is served. */
  addresses(): string[] {
    return this.#held.flatMap(({ place }) => place.entrance.addresses());
  }

  /** Answers `503` from now on, and waits for requests under way. Connections that were taken over are the gateway's to end. */
  async drain(deadline: Deadline): Promise<void> {
    this.#closed = true;
    while (!deadline.exceeded && this.#visits.size > 0) await pause(HTTP_DRAIN_LOOK);
  }

  /** Serves nothing any more; addresses that nobody else uses are closed. */
  close(): void {
    this.#closed = true;
    this.#move([], undefined);
    this.#visits.forEach((response) => response.destroy());
    this.#taken.forEach((socket) => socket.destroy());
  }

  #move(held: readonly Held[], mount: Mount | undefined): void {
    const [before, was] = [this.#held, this.#mount];
    this.#held = held;
    this.#mount = mount;
    if (mount) held.forEach(({ place }) => place.add(mount));
    if (was) before.forEach(({ place }) => place.remove(was));
    before.forEach((one) => this.#places.release(one));
  }

  #answer(...[request, response, visit]: Parameters<HttpHandler>): ReturnType<HttpHandler> {
    if (this.#closed) return void response.writeHead(503, { connection: 'close' }).end();
    this.#visits.add(response);
    response.once('close', () => this.#visits.delete(response));
    return this.#handlers.handler(request, response, visit);
  }

  #upgrade(...[request, socket, head, arrival]: Parameters<UpgradeHandler>): ReturnType<UpgradeHandler> {
    if (this.#closed) throw new HttpError(503, 'the server is ending');
    this.#taken.add(socket);
    socket.once('close', () => this.#taken.delete(socket));
    return this.#handlers.upgrade!(request, socket, head, arrival);
  }
}

/** Settings of one address each. */
function addressesOf(settings: EntranceSettings): EntranceSettings[] {
  // networks are the mounts' own: another gateway at this address may have others
  const shared = { ...settings, from: undefined };
  return [
    ...settings.listen.map((endpoint) => ({ ...shared, listen: [endpoint], tlsListen: [], tls: undefined })),
    ...settings.tlsListen.map((endpoint) => ({ ...shared, listen: [], tlsListen: [endpoint] })),
  ];
}

/** What tells a place from others. @param gateway that is to be there */
function keyOf({ listen, tlsListen, tls }: EntranceSettings, gateway: string): string {
  const name = (endpoint: Endpoint | undefined): string => (endpoint ? `${formatEndpoint(endpoint)}${endpoint.port === 0 ? ` of ${gateway}` : ''}` : '');
  return tls ? `tls ${name(tlsListen[0])} ${tls.cert} ${tls.key} ${tls.clientCa ?? ''}` : name(listen[0]);
}
