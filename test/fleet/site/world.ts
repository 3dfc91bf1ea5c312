import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { GrantSettings } from '../../../src/config/config.js';
import type { Driver } from '../../../src/drivers/driver.js';
import { FROM_HEADER, REPLY_PURPOSE, SIGNATURE_HEADER, type BusError, type BusMessage, type Headers } from '../../../src/fleet/contract.js';
import { newId } from '../../../src/fleet/ids.js';
import { answerMessage, checkMessage, writeMessage, type AnswerMessage } from '../../../src/fleet/messages.js';
import { unpacked } from '../../../src/fleet/parcels.js';
import type { Clocks } from '../../../src/fleet/site/clocks.js';
import { KnownKey, newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { Site, type SiteParts, type SiteSettings, type SiteTimes } from '../../../src/fleet/site/site.js';
import { askSubject, orderSubject, resultSubject } from '../../../src/fleet/subjects.js';
import { Gate } from '../../../src/instances/gate.js';
import type { Provider } from '../../../src/instances/provider.js';
import { State } from '../../../src/store/state.js';
import { FakeMachine } from '../../instances/fake-driver.js';
import { RememberedAudit } from '../../server/core.js';
import { MemoryHub, type MemoryBus } from '../../support/fleet/memory-bus.js';
import { until } from '../../support/until.js';
import { World } from './data-world.js';

export const SITE = 'berlin';
export const WITHIN = 60_000;
/** In which an order of a test has to be begun, ms: long, as a busy disk may take its time. */
export const SEND = 25_000;
/** Long enough for messages of a bus in memory to arrive. */
const HUSH = 60;

export const ALL: readonly GrantSettings[] = [{ instances: ['*'], commands: ['*'] }];

export type Fields = Readonly<Record<string, unknown>>;

/** A front that a test plays: what it sends is signed as it should be, where the test does not say otherwise. */
export class TestFront {
  readonly signer = new NkeySigner(newSeed());
  readonly bus: MemoryBus;
  readonly #site: KnownKey;
  readonly #now: () => number;

  constructor(hub: MemoryHub, readonly name: string, site: NkeySigner, now: () => number) {
    this.bus = hub.connect(name);
    this.#site = new KnownKey(site.publicKey);
    this.#now = now;
  }

  /** The fields of an order to stop lj, whole but for what the test says. */
  order(fields: Fields = {}): Fields & { readonly id: string } {
    const at = this.#now();
    return {
      v: 1, id: newId(at), site: SITE, provider: 'fake', machine: 'lj', instance: 'lj', do: 'stop', mode: 'soft', wait: false,
      principal: { account: 'kim', from: '10.1.2.3:4411', front: this.name }, at, sendBy: at + SEND, answerBy: at + 60_000, ...fields,
    };
  }

  result(id: string, fields: Fields = {}): Fields {
    const at = this.#now();
    return { v: 1, id, site: SITE, front: this.name, at, sendBy: at + SEND, ...fields };
  }

  ask(fields: Fields = {}): Fields {
    const at = this.#now();
    return {
      v: 1, id: newId(at), site: SITE, provider: 'fake', machine: 'lj', instance: 'lj', ask: 'status',
      principal: { account: 'kim', from: '10.1.2.3:4411', front: this.name }, at, sendBy: at + SEND, ...fields,
    };
  }

  headers(subject: string, data: Uint8Array, signer = this.signer): Headers {
    return { [FROM_HEADER]: this.name, [SIGNATURE_HEADER]: signer.sign(subject, data) };
  }

  /** Sends something. @returns what is answered, as it comes */
  send(subject: string, fields: Fields, headersOf = (data: Uint8Array) => this.headers(subject, data)): Talk {
    const data = writeMessage(fields);
    return this.sendRaw(subject, data, headersOf(data));
  }

  sendRaw(subject: string, data: Uint8Array, headers: Headers): Talk {
    const talk = new Talk();
    this.bus.converse(subject, data, headers, (message) => talk.messages.push(message), (error) => { talk.error = error; });
    return talk;
  }

  sendOrder(fields: Fields): Talk {
    return this.send(orderSubject(SITE), fields);
  }

  sendResult(id: string, fields: Fields = {}): Talk {
    return this.send(resultSubject(SITE), this.result(id, fields));
  }

  /** The last word on an order. */
  async ordered(fields: Fields = {}): Promise<AnswerMessage> {
    return this.last(this.sendOrder(this.order(fields)));
  }

  async asked(fields: Fields = {}): Promise<AnswerMessage> {
    return this.last(this.send(askSubject(SITE), this.ask(fields)));
  }

  async became(id: string, fields: Fields = {}): Promise<AnswerMessage> {
    return this.last(this.sendResult(id, fields));
  }

  /** The answer that is not `running`, signed by the site for this front. */
  async last(talk: Talk): Promise<AnswerMessage> {
    await until(() => talk.answers.some(({ state }) => state !== 'running'), WITHIN, 'an answer');
    for (const one of talk.messages) {
      if (!this.#site.verifies(REPLY_PURPOSE, one.data, one.header(SIGNATURE_HEADER))) throw new Error('an answer is not signed by the site');
    }
    const last = talk.answers.find(({ state }) => state !== 'running')!;
    if (last.front !== this.name) throw new Error(`an answer is for ${last.front}`);
    return last;
  }
}

export class Talk {
  readonly messages: BusMessage[] = [];
  error: BusError | undefined;

  get answers(): AnswerMessage[] {
    return this.messages.flatMap(({ data }) => unpacked(data).map((content) => checkMessage(answerMessage, content)));
  }
}

/** One life of a site. */
export interface Life {
  readonly site: Site;
  readonly bus: MemoryBus;
  readonly state: State;
  readonly audit: RememberedAudit;
  readonly logged: string[];
  /** As far as that goes in one process: it says and writes nothing from now on. */
  kill(): Promise<void>;
}

export interface LifeOptions {
  readonly signer?: NkeySigner;
  readonly folder?: string;
  readonly incarnation?: string;
  readonly times?: Partial<SiteTimes>;
  readonly parts?: Partial<SiteParts>;
  readonly state?: State;
  /** do not wait until it takes orders */
  readonly isImpatient?: boolean;
}

let lives = 0;

/** A bus, machines and a front, which outlive the site. */
export class SiteWorld {
  readonly hub = new MemoryHub();
  readonly folder: string;
  readonly signer = new NkeySigner(newSeed());
  #passed = 0;
  #skew = 0;
  readonly now = (): number => Date.now() + this.#passed;
  /** those of the site */
  readonly clocks: Clocks = { now: () => this.now() + this.#skew, steady: () => performance.now() + this.#passed };
  readonly front: TestFront;
  readonly machine: FakeMachine;
  /** what the site has: `fake`, with the machines */
  readonly own: World;
  readonly provider: Provider;
  grants = ALL;
  readonly #t: Test;

  private constructor(t: Test, machine: FakeMachine, own: World, provider: Provider) {
    this.#t = t;
    this.machine = machine;
    this.own = own;
    this.provider = provider;
    this.folder = mkdtempSync(join(tmpdir(), 'argo-site-'));
    this.front = new TestFront(this.hub, 'f1', this.signer, this.now);
    t.teardown(async () => {
      await own.end();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  static async make(t: Test, machine = new FakeMachine('lj', 'on'), others: readonly FakeMachine[] = []): Promise<SiteWorld> {
    const own = new World();
    return new SiteWorld(t, machine, own, await own.open('fake', () => [machine, ...others].map((one) => [one, one.state])));
  }

  get driver(): Driver {
    return this.own.driver('fake');
  }

  settings(fronts: SiteSettings['fleet']['fronts'] = [{ name: 'f1', publicKey: this.front.signer.publicKey, grants: this.grants }]): SiteSettings {
    return { fleet: { name: SITE, aliveInterval: 5000, deadAfter: 20_000, fronts }, groups: new Map() };
  }

  async live(options: LifeOptions = {}): Promise<Life> {
    lives += 1;
    const logged: string[] = [];
    const log: SiteParts['log'] = (level, message, facts) => { logged.push(`${level} ${message} ${JSON.stringify(facts ?? {})}`); };
    const audit = new RememberedAudit();
    const gate = new Gate({ registry: this.own.registry, audit, log, actionTimeout: () => 10_000, groups: () => new Map() });
    const state = options.state ?? new State(options.folder ?? this.folder, () => undefined);
    const bus = this.hub.connect(SITE);
    const site = new Site({
      gate, state, bus, log, signer: options.signer ?? this.signer, incarnation: options.incarnation ?? `incarnation-${String(lives).padStart(6, '0')}`, version: '1.2.3',
      isOffered: () => true, offered: () => [{ name: 'fake', type: 'fake', held: true, dmesg: false, ...(this.provider.staleReason !== undefined && { stale: this.provider.staleReason }) }],
      outbox: () => 0, ...options.parts,
      times: { clocks: this.clocks, hush: HUSH, hushAgain: HUSH / 4, runningFirst: 50, runningEvery: 50, ...options.times },
    }, this.settings());
    site.start();
    const kill = async (): Promise<void> => {
      bus.cut();
      await state.close();
      site.close();
    };
    this.#t.teardown(kill);
    if (options.isImpatient !== true) await opened(site);
    return { site, bus, state, audit, logged, kill };
  }

  /** Goes on in time, for all. */
  pass(ms: number): void {
    this.#passed += ms;
  }

  /** Sets the clock of the site. @param ms by how much it is then ahead of that of the fronts */
  setClock(ms: number): void {
    this.#skew = ms;
  }
}

/** Waits until a site takes orders, and orders made from now on are younger than that. */
export async function opened(site: Site): Promise<void> {
  await until(() => site.isOpen, WITHIN, 'the site to take orders');
  const since = Date.now();
  await until(() => Date.now() > since + 1, WITHIN, 'the clock to go on');
}

/** An answer without what stands in each. */
export function bare(answer: AnswerMessage): Fields {
  return Object.fromEntries(Object.entries(answer).filter(([key]) => !['v', 'id', 'incarnation', 'front'].includes(key)));
}
