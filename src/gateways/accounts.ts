import { setMaxListeners } from 'node:events';
import type { Authenticator } from '../auth/authenticator.js';
import { Login } from '../auth/login.js';
import { Observer, Service } from '../auth/service.js';
import type { ArgoEvent, EventFacts } from '../instances/events.js';
import type { Gate } from '../instances/gate.js';
import { lostWords, type Identity } from '../instances/principal.js';
import { asTold, mayKnow } from '../instances/subscription.js';
import { plainAddress } from '../kit/addresses.js';
import { ArgoError } from '../kit/errors.js';
import type { Log } from '../kit/log.js';
import { harmless } from '../kit/text.js';
import type { Accounts, Member } from './contract.js';

const FOR_EVER = new AbortController().signal;

/** An identity that a gateway works for; each request gets an actor with its own origin. */
class GatewayMember implements Member {
  readonly #identity: Identity;
  readonly #gate: Gate;
  readonly #gateway: string;
  #controller: AbortController | undefined;
  #forget: (() => void) | undefined;

  constructor(identity: Identity, gate: Gate, gateway: string) {
    this.#identity = identity;
    this.#gate = gate;
    this.#gateway = gateway;
  }

  get name(): string {
    return this.#identity.name;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = this.#controller = new AbortController();
      // whatever an account has under way
      setMaxListeners(0, controller.signal);
      this.#forget = this.#identity.onTakenAway(() => {
        this.release();
        controller.abort(new ArgoError('NOT AUTHENTICATED', lostWords(this.#identity)));
      });
    }
    return this.#controller.signal;
  }

  release(): void {
    this.#forget?.();
  }

  async told(event: ArgoEvent): Promise<EventFacts | undefined> {
    const { facts } = event;
    const may = facts.type === 'plan' ? await this.#gate.mayKnowPlan(this.#identity, this.#gateway, facts.plan) : mayKnow(this.#identity.principal, event);
    return may ? asTold(this.#identity.principal, facts) : undefined;
  }

  actor(origin: string): ReturnType<Member['actor']> {
    return this.#gate.actor({ identity: this.#identity, through: undefined, origin: `${harmless(String(origin))} ${this.#gateway}` });
  }
}

/** The accounts as one gateway comes to them. */
export function accountsFor(gateway: string, authenticator: Authenticator, gate: Gate, log: Log): Accounts {
  const member = (identity: Identity): Member => new GatewayMember(identity, gate, gateway);
  const refused = (what: string, from: string): never => {
    log('warn', `${what} refused`, { from });
    throw new ArgoError('NOT AUTHENTICATED');
  };
  return {
    login: async (name, password, address, signal = FOR_EVER) => {
      const plain = plainAddress(address);
      const account = await authenticator.login(name, password, plain, signal);
      if (account === undefined) {
        // what was typed as a name may be a password: only names of accounts are told
        log('warn', 'login refused', { account: authenticator.knows(name) ? name : undefined, from: plain });
        throw new ArgoError('NOT AUTHENTICATED');
      }
      return member(new Login(account, plain, authenticator));
    },
    token: async (token, address, signal = FOR_EVER) => {
      const plain = plainAddress(address);
      return member(await authenticator.token(token, plain, signal) ?? refused('token', plain));
    },
    code: async (code, address, signal = FOR_EVER) => {
      const plain = plainAddress(address);
      return member(new Login(await authenticator.code(code, plain, signal) ?? refused('code', plain), plain, authenticator));
    },
    mark: (name) => authenticator.mark(name),
    again: (name, mark, address) => {
      const plain = plainAddress(address);
      const account = authenticator.account(name);
      if (account === undefined || authenticator.mark(name) !== mark || !account.mayComeFrom(plain)) return undefined;
      return member(new Login(account, plain, authenticator));
    },
    service: (name) => member(new Service(name, authenticator)),
    observer: () => member(new Observer()),
    listener: () => ({ told: ({ facts }) => Promise.resolve(facts) }),
  };
}
