import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ProviderOverview } from '../../instances/overview.js';
import { ArgoError } from '../../kit/errors.js';
import { expose } from '../../kit/metrics.js';
import type { Change } from '../../listening/change.js';
import { HttpError, type HttpMount, type Visit } from '../../listening/http.js';
import { entranceSettings, type EntranceOptions } from '../../listening/options.js';
import type { Deadline } from '../../kit/deadline.js';
import type { Gateway, GatewayHost, Member } from '../contract.js';
import { ProcessFigures } from './process.js';

export type MetricsOptions = EntranceOptions & { readonly account?: string | undefined };

const PATH = '/metrics';
/** The text form of Prometheus. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const CHALLENGE = { 'www-authenticate': 'Basic realm="argo-server", charset="UTF-8"' };

/** The server's figures for Prometheus, at `/metrics`. With `account` it asks for a login, and shows what that account sees. */
export class MetricsGateway implements Gateway<MetricsOptions> {
  readonly #host: GatewayHost;
  readonly #mount: HttpMount;
  readonly #figures: ProcessFigures;
  #account: string | undefined;

  constructor(host: GatewayHost) {
    this.#host = host;
    this.#figures = new ProcessFigures();
    this.#mount = host.doors.http.mount((request, response, visit) => this.#answer(request, response, visit));
  }

  async prepare(options: MetricsOptions): Promise<Change> {
    const { commit, cancel } = await this.#mount.prepare(entranceSettings(options), PATH);
    return {
      commit: () => {
        this.#account = options.account;
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
    const member = await this.#memberOf(request, visit);
    const lines = await this.#lines(member, visit);
    response.writeHead(200, { 'content-type': CONTENT_TYPE, 'cache-control': 'no-store' });
    response.end(`${lines.join('\n')}\n`);
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

  async #lines(member: Member, { from }: Visit): Promise<string[]> {
    const overview = await member.actor(from).overview();
    const lines = [...this.#figures.text(), ...instanceLines(overview)];
    // these are about all accounts, and name providers that this one may not know of
    if (this.#account === undefined) lines.push(...this.#host.metrics.text());
    return lines;
  }
}

function* instanceLines(overview: readonly ProviderOverview[]): Generator<string> {
  yield* expose('argo_provider_up', 'gauge', 'Whether the provider answered when it was asked last.',
    overview.map(({ provider, answers }) => ({ labels: { provider }, value: answers ? 1 : 0 })));
  yield* expose('argo_instances', 'gauge', 'Instances by the state in which they were last seen.',
    overview.flatMap(({ provider, states }) => [...states].map(([state, value]) => ({ labels: { provider, state }, value }))));
}
