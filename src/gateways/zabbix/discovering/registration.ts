import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import type { Log } from '../../../kit/log.js';
import { Slices } from '../../../kit/slices.js';
import { HOST_METADATA, REGISTRATION_AGAIN, REGISTRATION_HOSTLESS, REGISTRATIONS_A_LOOK, REGISTRATIONS_HOSTLESS_A_LOOK } from '../../../kit/zabbix-collecting-limits.js';
import type { ProxyConfiguration } from '../../../protocols/zabbix/configuration.js';
import type { RegistrationRow } from '../../../protocols/zabbix/messages.js';
import { instanceFor } from '../collecting/subjects.js';
import type { Addresses } from './addresses.js';
import type { Outgoing } from '../contract.js';
import { hostName } from '../items/host-name.js';

/** Where an address is asked for and none is known: nobody's. */
const UNKNOWN_ADDRESS = '0.0.0.0';
const AGENT_PORT = '10050';

/** What was registered of an instance. */
interface Registered {
  /** when, on the steady clock */
  readonly at: number;
  /** as which host; undefined: as none */
  readonly host: string | undefined;
}

/**
 * Makes the visible instances known to the server, each as a host of its own: new ones soon, all of them daily, never
 * many at once. Those of which the server has made no host come again after minutes, as agents do: it forgets whom it
 * had no action for.
 */
export class Registration {
  readonly #outgoing: Pick<Outgoing, 'registration'>;
  readonly #addresses: Addresses;
  readonly #log: Log;
  readonly #steady: () => number;
  /** by full name, those of longest ago first */
  #registered = new Map<string, Registered>();
  /** hosts that the server wants values of */
  #hosts: ReadonlySet<string> = new Set();

  /** @param steady a clock that nobody sets, milliseconds; another one in tests */
  constructor(outgoing: Pick<Outgoing, 'registration'>, addresses: Addresses, log: Log, steady = (): number => performance.now()) {
    this.#outgoing = outgoing;
    this.#addresses = addresses;
    this.#log = log;
    this.#steady = steady;
  }

  configured({ hosts }: Pick<ProxyConfiguration, 'hosts'>): void {
    this.#hosts = new Set([...hosts.values()].map(({ host }) => host));
  }

  /** All are registered again, by and by. */
  forget(): void {
    this.#registered = new Map();
  }

  /** Registers some of those whose turn it is. @param now milliseconds since 1970 */
  async look(actor: Actor, now: number): Promise<void> {
    const before = this.#registered;
    const due = await this.#due(actor, before);
    const clock = Math.floor(now / 1000);
    const working = [];
    const slices = new Slices();
    for (const fullName of due) {
      working.push(this.#row(actor, fullName, clock));
      await Promise.resolve();
      if (slices.isOverNow()) await slices.pause();
    }
    const rows = await Promise.all(working);
    // all were forgotten meanwhile: they come again
    if (this.#registered !== before) return;
    due.forEach((fullName, index) => {
      const row = rows[index];
      // behind all others
      before.delete(fullName);
      before.set(fullName, { at: this.#steady(), host: typeof row === 'object' ? row.host : undefined });
    });
    const unfit = due.filter((_, index) => rows[index] === 'unfit');
    if (unfit.length > 0) this.#log('warn', 'instances cannot be registered: no host of Zabbix may have such a name, or it would stand for others as well', { instances: unfit.length, such: unfit[0] });
    const known = rows.filter((row) => typeof row === 'object');
    if (known.length > 0) this.#outgoing.registration(known);
  }

  /** Full names of those whose turn it is; those that are gone are forgotten. */
  async #due(actor: Actor, registered: Map<string, Registered>): Promise<readonly string[]> {
    const slices = new Slices();
    const there = new Set<string>();
    const due: string[] = [];
    const now = this.#steady();
    for (const { provider, name } of actor.states()) {
      if (slices.isOver()) await slices.pause();
      const fullName = `${provider}/${name}`;
      there.add(fullName);
      if (due.length < REGISTRATIONS_A_LOOK && (registered.get(fullName)?.at ?? -Infinity) <= now - REGISTRATION_AGAIN) due.push(fullName);
    }
    const again: string[] = [];
    for (const [fullName, { at, host }] of registered) {
      if (slices.isOver()) await slices.pause();
      if (!there.has(fullName)) registered.delete(fullName);
      else if (
        again.length < REGISTRATIONS_HOSTLESS_A_LOOK
        && at <= now - REGISTRATION_HOSTLESS
        && at > now - REGISTRATION_AGAIN
        && this.#isHostless(host)
      )
        again.push(fullName);
    }
    return [...due, ...again];
  }

  /** Whether it may become a host, and is none yet. */
  #isHostless(host: string | undefined): boolean {
    return host !== undefined && !this.#hosts.has(host);
  }

  /** Undefined where it is gone meanwhile. */
  async #row(actor: Actor, fullName: string, clock: number): Promise<RegistrationRow | 'unfit' | undefined> {
    const instance = await one(actor, fullName);
    if (instance === undefined) return undefined;
    const host = hostName(shownName(actor, instance));
    if (host === undefined || !await leadsTo(actor, host, fullName)) return 'unfit';
    const [address = UNKNOWN_ADDRESS] = await this.#addresses.of(actor, instance);
    const { provider, type, providerType } = instance;
    return { clock, host, ip: address, dns: '', port: AGENT_PORT, host_metadata: `argo ${provider} ${type} ${providerType} ${fullName}`.slice(0, HOST_METADATA), tls_accepted: 1 };
  }
}

async function one(actor: Actor, fullName: string): Promise<InstanceInfo | undefined> {
  try {
    return (await actor.select([{ text: fullName, quoted: true }])).instances[0];
  } catch {
    return undefined;
  }
}

/** Whether a host of such a name stands for an instance, and for no other. */
async function leadsTo(actor: Actor, host: string, fullName: string): Promise<boolean> {
  // any other is the name by which the instance is shown, which is its alone
  if (!host.includes(' ')) return true;
  return (await instanceFor(actor, { host, name: host }).catch(() => undefined))?.fullName === fullName;
}

/** It may have gone while it was being looked at. */
function shownName(actor: Actor, instance: InstanceInfo): string {
  try {
    return actor.display(instance);
  } catch {
    return instance.fullName;
  }
}
