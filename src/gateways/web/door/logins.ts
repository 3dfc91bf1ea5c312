import type { IncomingMessage, ServerResponse } from 'node:http';
import * as v from 'valibot';
import { ArgoError } from '../../../kit/errors.js';
import type { Log } from '../../../kit/log.js';
import { LOGIN_BODY } from '../../../kit/web-limits.js';
import type { Visit } from '../../../listening/http.js';
import type { Accounts, Member } from '../../contract.js';
import type { LoginRequest, SessionInfo } from '../messages.js';
import { wrongMethod } from '../refusals.js';
import { methodOf, readJson, sendJson } from './answers.js';
import { checkIntent } from './guard.js';
import type { Session, Sessions } from '../../shared/sessions.js';
import { sessionOf, setCookie } from './visitors.js';

/** What is done at `/api/session`: logging in, out, and asking who one is. */

const LOGIN = v.union([v.strictObject({ account: v.string(), password: v.string() }), v.strictObject({ code: v.string() })]);

export interface LoginParts {
  readonly sessions: Sessions;
  readonly accounts: Accounts;
  readonly log: Log;
  readonly version: string;
}

export class Logins {
  readonly #parts: LoginParts;

  constructor(parts: LoginParts) {
    this.#parts = parts;
  }

  /** @throws HttpError, ArgoError */
  async answer(request: IncomingMessage, response: ServerResponse, visit: Visit): Promise<void> {
    const { sessions } = this.#parts;
    const { isTls } = visit;
    const known = sessionOf(request, visit, sessions);
    const method = methodOf(request);
    if (method === 'GET') {
      if (known === undefined) throw new ArgoError('NOT AUTHENTICATED');
      return this.#tell(request, response, visit, known);
    }
    checkIntent(request.headers);
    if (method === 'DELETE') {
      if (known !== undefined) await this.#end(known, visit);
      return void response.writeHead(204, ['set-cookie', setCookie(undefined, isTls), 'cache-control', 'no-store']).end();
    }
    if (method !== 'POST') throw wrongMethod('GET', 'HEAD', 'POST', 'DELETE');
    const { key, session } = sessions.begin(await this.#login(request, visit), visit.address);
    // whoever logs in anew is somebody new, and what could be done with the former cookie is over
    if (known !== undefined) await this.#end(known, visit);
    this.#parts.log('info', 'login', { account: session.member.name, from: visit.from });
    return this.#tell(request, response, visit, session, ['set-cookie', setCookie(key, isTls)]);
  }

  async #login(request: IncomingMessage, visit: Visit): Promise<Member> {
    const checked = v.safeParse(LOGIN, await readJson(request, visit, LOGIN_BODY));
    if (!checked.success) throw new ArgoError('BAD REQUEST', 'account and password are expected');
    const { accounts } = this.#parts;
    const wanted: LoginRequest = checked.output;
    return 'code' in wanted ? accounts.code(wanted.code, visit.address, visit.signal) : accounts.login(wanted.account, wanted.password, visit.address, visit.signal);
  }

  async #end(session: Session, { from }: Visit): Promise<void> {
    this.#parts.log('info', 'logout', { account: session.member.name, from });
    await this.#parts.sessions.end(session);
  }

  async #tell(request: IncomingMessage, response: ServerResponse, { from }: Visit, { member }: Session, headers: readonly string[] = []): Promise<void> {
    const info: SessionInfo = { account: member.name, server: { name: 'argo-server', version: this.#parts.version }, rights: member.actor(from).rights(), now: Date.now() };
    await sendJson(request, response, 200, JSON.stringify(info), headers);
  }
}
