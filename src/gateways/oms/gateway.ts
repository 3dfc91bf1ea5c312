import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Deadline } from '../../kit/deadline.js';
import { ArgoError, causeOf, toArgoError } from '../../kit/errors.js';
import type { Change } from '../../listening/change.js';
import { HttpError, type HttpMount, type Visit } from '../../listening/http.js';
import { entranceSettings } from '../../listening/options.js';
import type { Gateway, GatewayHost } from '../contract.js';
import { LastWord } from '../shared/ends-early.js';
import { SessionStore } from '../shared/session-store.js';
import { Sessions, type SessionTimes } from '../shared/sessions.js';
import { Unread } from '../shared/unread.js';
import { ConsolePorts, type ConsolePlaces } from './consoles/console-ports.js';
import { OmsError, toOmsError } from './faults.js';
import type { OmsOptions } from './options.js';
import { answerText, sendAnswer } from './rpc/answer.js';
import { Calls } from './rpc/calls.js';
import { readCall, type RpcCall } from './rpc/request.js';
import type { Tools } from './services/row.js';
import { newSessid } from './sessid.js';

/** OpenNode Management Server's JSON-RPC, as its clients of 2011 speak it, in front of the machines of today. */
export class OmsGateway implements Gateway<OmsOptions> {
  readonly #host: GatewayHost;
  readonly #mount: HttpMount;
  readonly #sessions: Sessions;
  readonly #consoles: ConsolePorts;
  readonly #calls: Calls;
  readonly #unread = new Unread();
  readonly #ending = new AbortController();
  readonly #lastWord = new LastWord();
  #options: OmsOptions;
  #isRestored = false;

  constructor(host: GatewayHost, options: OmsOptions) {
    this.#host = host;
    this.#options = options;
    this.#sessions = new Sessions(timesOf(options), {
      accounts: host.accounts, store: new SessionStore(host.state.kv, host.log), makeKey: newSessid, ended: (session) => this.#consoles.endSession(session),
    });
    this.#consoles = new ConsolePorts(placesOf(options), { http: host.doors.http, sessions: this.#sessions, log: host.log });
    this.#calls = new Calls({
      accounts: host.accounts, sessions: this.#sessions, log: host.log, tools: () => this.#tools(),
      ending: this.#ending.signal, lastWord: this.#lastWord.signal,
    });
    this.#mount = host.doors.http.mount((...asked) => this.#answer(...asked));
  }

  async prepare(options: OmsOptions): Promise<Change> {
    const places = placesOf(options);
    if (!this.#isRestored) await this.#sessions.restore();
    this.#isRestored = true;
    const { commit, cancel } = await this.#mount.prepare(places.entrance, options.path);
    return {
      commit: () => {
        this.#options = options;
        this.#sessions.retime(timesOf(options));
        this.#consoles.replace(places);
        commit();
      },
      cancel,
    };
  }

  addresses(): readonly string[] {
    return this.#mount.addresses();
  }

  async drain(deadline: Deadline): Promise<void> {
    this.#ending.abort(new ArgoError('SHUTTING DOWN'));
    await this.#lastWord.during(deadline, Promise.all([this.#mount.drain(deadline), this.#consoles.drain(deadline)]));
  }

  close(): Promise<void> {
    this.#sessions.close();
    this.#consoles.close();
    this.#mount.close();
    return Promise.resolve();
  }

  async #answer(request: IncomingMessage, response: ServerResponse, visit: Visit): Promise<void> {
    const { path, 'legacy-get': legacyGet, jsonp } = this.#options;
    if (visit.path !== path) throw new HttpError(404, `calls go to ${path}`);
    const call = await readCall(request, visit, { legacyGet, jsonp });
    sendAnswer(response, call, await this.#textFor(call, visit, response));
  }

  async #textFor(call: RpcCall, visit: Visit, response: ServerResponse): Promise<string> {
    try {
      const text = answerText(call, { result: await this.#calls.run(call, visit) });
      // who is slow to read is told by his address: a call that logs in has no account yet
      this.#unread.take(visit.address, text.length, response);
      return text;
    } catch (error) {
      if (isFault(error) && !visit.signal.aborted) this.#host.log('error', 'call failed', { service: call.service, method: call.method, cause: error instanceof ArgoError ? causeOf(error) : error });
      return answerText(call, { error: toOmsError(error) });
    }
  }

  #tools(): Tools {
    const { hosts, 'stop-timeout': stopTimeout, 'network-rollback': rollback } = this.#options;
    return {
      consoles: this.#consoles, stopTimeout, rollback,
      providerOf: (host, kind) => (Object.hasOwn(hosts, host) ? hosts[host]![kind === 'container' ? 'ovz' : 'kvm'] : host),
      hostOf: (provider) => Object.keys(hosts).find((host) => Object.values(hosts[host]!).includes(provider)) ?? provider,
    };
  }
}

/** Whether its cause belongs into the log: it is no refusal. */
const isFault = (error: unknown): boolean => !(error instanceof OmsError) && toArgoError(error).phrase === 'INTERNAL ERROR';

const timesOf = (options: OmsOptions): SessionTimes => ({ idle: options['idle-timeout'], longest: options['session-limit'] });

const placesOf = (options: OmsOptions): ConsolePlaces => ({ entrance: entranceSettings(options), pools: { VNC: options['vnc-ports'], SSH: options['ssh-ports'] } });
