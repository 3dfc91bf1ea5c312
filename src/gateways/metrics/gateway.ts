import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Actor } from '../../instances/actor.js';
import type { Overview } from '../../instances/overview.js';
import { ArgoError } from '../../kit/errors.js';
import type { Labels } from '../../kit/metrics.js';
import type { Change } from '../../listening/change.js';
import { HttpError, type HttpMount, type Visit } from '../../listening/http.js';
import { entranceSettings, type EntranceOptions } from '../../listening/options.js';
import type { Deadline } from '../../kit/deadline.js';
import type { Gateway, GatewayHost, Member } from '../contract.js';
import { Exposition } from './exposition.js';
import { instanceSeries, SERIES_PER_INSTANCE } from './instance-series.js';
import { ProcessFigures } from './process.js';
import { countInstances, providerFigures, seriesLeftOut } from './providers.js';

export type MetricsOptions = EntranceOptions & {
  readonly account?: string | undefined;
  readonly instances: boolean;
  readonly 'max-series': number;
};

const PATH = '/metrics';
const CHALLENGE = { 'www-authenticate': 'Basic realm="argo-server", charset="UTF-8"' };

/** The server's figures for Prometheus, at `/metrics`. With `account` it asks for a login, and shows what that account sees. */
export class MetricsGateway implements Gateway<MetricsOptions> {
  readonly #host: GatewayHost;
  readonly #mount: HttpMount;
  readonly #figures: ProcessFigures;
  #account: string | undefined;
  /** of single instances; undefined where they have none */
  #maxSeries: number | undefined;
  #exposition: Exposition | undefined;
  /** whether it was said last that there are too many instances */
  #saidTooMany = false;

  constructor(host: GatewayHost) {
    this.#host = host;
    this.#figures = new ProcessFigures();
    this.#mount = host.doors.http.mount((request, response, visit) => this.#answer(request, response, visit));
  }

  async prepare(options: MetricsOptions): Promise<Change> {
    const exposition = this.#exposition ??= await Exposition.load(this.#host.log);
    const { commit, cancel } = await this.#mount.prepare(entranceSettings(options), PATH);
    return {
      commit: () => {
        this.#exposition = exposition;
        this.#account = options.account;
        this.#maxSeries = options.instances ? options['max-series'] : undefined;
        commit();
      },
      cancel,
    };
  }

  drain(deadline: Deadline): Promise<void> {
    return this.#mount.drain(deadline);
  }

  close(): Promise<void> {
    this.#figures.close();
    this.#mount.close();
    return Promise.resolve();
  }

  async #answer(request: IncomingMessage, response: ServerResponse, visit: Visit): Promise<void> {
    if (visit.path !== PATH) throw new HttpError(404, `the figures are at ${PATH}`);
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new HttpError(405, 'GET it', { allow: 'GET, HEAD' });
    const actor = (await this.#memberOf(request, visit)).actor(visit.from);
    const exposition = this.#exposition!;
    response.writeHead(200, { 'content-type': exposition.contentType, 'cache-control': 'no-store' });
    if (request.method === 'HEAD') return void response.end();
    // as fast as it is read: a slow reader has no more than some chunks in memory
    await pipeline(this.#text(exposition, actor), response, { signal: visit.signal });
  }

  /** Whose view is shown. @throws HttpError 401, 503 */
  async #memberOf({ headers: { authorization } }: IncomingMessage, { address, signal }: Visit): Promise<Member> {
    if (this.#account === undefined) return this.#host.accounts.observer();
    const [, encoded = ''] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '') ?? [];
    const [, name = '', password = ''] = /^([^:]*):([^]*)$/.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
    if (name !== this.#account && authorization === undefined) throw new HttpError(401, 'log in', CHALLENGE);
    try {
      const member = await this.#host.accounts.login(name, password, address, signal);
      if (member.name === this.#account) return member;
    } catch (error) {
      if (error instanceof ArgoError && error.phrase === 'BUSY') throw new HttpError(503, error.message, { 'retry-after': '5' });
      if (!(error instanceof ArgoError) || error.phrase !== 'NOT AUTHENTICATED') throw error;
    }
    throw new HttpError(401, 'the name, the password or the network is wrong', CHALLENGE);
  }

  async*#text(exposition: Exposition, actor: Actor): AsyncGenerator<string> {
    // to take the request in was enough for one turn
    await nextTurn();
    const overview = await actor.overview();
    const left = this.#seriesLeftOut(overview);
    yield* exposition.text([...this.#figures.all(), ...providerFigures(overview), ...(left === undefined ? [] : [seriesLeftOut(left)])]);
    yield* exposition.text(this.#host.metrics.figures(), shownOf(overview));
    if (left === 0) yield* instanceSeries(() => actor.states());
  }

  /** How many series of single instances are too many, so that there are none; undefined where there are none anyway. */
  #seriesLeftOut(overview: Overview): number | undefined {
    if (this.#maxSeries === undefined) return undefined;
    const series = countInstances(overview) * SERIES_PER_INSTANCE;
    const isTooMany = series > this.#maxSeries;
    if (isTooMany !== this.#saidTooMany) {
      if (isTooMany) this.#host.log('warn', 'too many instances for series of their own', { series, 'max-series': this.#maxSeries });
      else this.#host.log('info', 'instances have series of their own again', { series });
      this.#saidTooMany = isTooMany;
    }
    return isTooMany ? series : 0;
  }
}

/** Whether a value may be told: what is about a provider to whoever sees all of that, anything else to whoever sees everything. */
function shownOf({ isWhole, providers }: Overview): (labels: Labels) => boolean {
  const whole = new Set(providers.filter(({ work }) => work !== undefined).map(({ provider }) => provider));
  return ({ provider }) => (provider === undefined ? isWhole : whole.has(provider));
}
