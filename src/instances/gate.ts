import { ArgoError } from '../kit/errors.js';
import type { Actor } from './actor.js';
import type { ActorParts } from './actor-parts.js';
import { GateActor } from './gate-actor.js';
import type { Choice } from './choice.js';
import { AuditView, type AuditViewParts } from './audit-view.js';
import { Operations, type OperationsParts } from './operations.js';
import type { Identity, Mandate, Permission, Principal } from './principal.js';
import type { TypedName } from './view.js';
import { OwnWorks } from './own-work.js';
import { PowerTasks } from './power-tasks.js';
import type { TagBook } from './tag-book.js';
import { TagDesk } from './tag-desk.js';
import type { TaskStore } from '../store/tasks.js';

/** What the gate is made of. */
export type GateParts = OperationsParts & Omit<ActorParts, 'orders' | 'audited' | 'tagDesk' | 'ownWorks'> & {
  /** where orders for many are written down; left out: there are none */
  readonly tasks?: TaskStore;
  readonly auditRows?: AuditViewParts['rows'];
  /** left out: there are no tags */
  readonly tags?: TagBook;
};

/** Hands out actors. */
export class Gate {
  readonly #parts: GateParts & ActorParts;
  readonly #orders: PowerTasks;
  readonly #operations: Operations;
  readonly #tags: TagDesk;

  constructor(parts: GateParts) {
    const { registry, log, tasks: store, auditRows } = parts;
    this.#orders = new PowerTasks({ store, log, actor: (mandate) => this.actor(mandate) });
    this.#operations = new Operations(parts);
    this.#tags = new TagDesk(parts);
    this.#parts = {
      ...parts,
      orders: this.#orders,
      audited: new AuditView({ registry, ...(auditRows ? { rows: auditRows } : {}) }),
      tagDesk: this.#tags,
      ownWorks: new OwnWorks(parts),
    };
  }

  /** An account at work. */
  actor(mandate: Mandate): Actor {
    return new GateActor(this.#parts, this.#operations, mandate);
  }

  /** What a command's words select. @throws ArgoError also where the command may not be used on all of it */
  static choose(actor: Actor, words: readonly TypedName[]): Promise<Choice> {
    if (actor instanceof GateActor) return GateActor.choose(actor, words);
    throw new ArgoError('INTERNAL ERROR', 'an actor of another gate');
  }

  /** Ends what may be done through an actor: whoever kept it can do nothing from then on. What was begun goes on. */
  static end(actor: Actor): void {
    if (actor instanceof GateActor) GateActor.end(actor);
  }

  /** Whether power actions or changes of settings of an actor have not ended. */
  static isChanging(actor: Actor): boolean {
    return actor instanceof GateActor && GateActor.isChanging(actor);
  }

  /** Ends an actor's readings, because nobody is left to be told of them. */
  static endReadings(actor: Actor, reason: Error): void {
    if (actor instanceof GateActor) GateActor.endReadings(actor, reason);
  }

  /** Grows with every change of instances, of their states, and of what is known of providers. */
  get version(): number {
    return this.#parts.registry.version;
  }

  /** Whether somebody may be told of a plan now. @param origin for whoever decides it */
  async mayKnowPlan(identity: Identity, origin: string, plan: string): Promise<boolean> {
    return await this.#parts.plans?.()?.mayKnow({ identity, origin }, plan) ?? false;
  }

  /** The providers on which, as a whole, a principal may use a command, by name. */
  *providersFor(principal: Principal, permission: Permission): Generator<string> {
    for (const { name } of this.#parts.registry.providers()) if (principal.allowsProvider(name, permission)) yield name;
  }

  /** Whether a principal may use a command on all that there is, whatever comes. */
  allowsEverywhere(principal: Principal, permission: Permission): boolean {
    return principal.allowsSomewhere(permission) && this.#parts.registry.providers().every(({ name }) => principal.allowsProvider(name, permission));
  }

  /** Whether each provider has told once what it has: until then nobody knows what names and patterns stand for. */
  get hasListedAll(): boolean {
    return this.#parts.registry.providers().every(({ listed }) => listed);
  }

  /** Milliseconds that a power action may take on whichever provider gives most, where the caller says nothing. */
  get longestActionTimeout(): number {
    return this.#parts.registry.providers().reduce((most, { actionTimeout }) => Math.max(most, actionTimeout ?? 0), this.#parts.actionTimeout());
  }

  /**
   * Takes no further power actions and waits for those that run; those that run longer are told to end.
   * @param ms how long they may go on
   * @param last milliseconds after that in which they have to say what is known
   */
  async drain(ms: number, last: number): Promise<void> {
    await Promise.all([this.#operations.drain(ms, last), this.#tags.drain()]);
    await this.#orders.settled(last);
  }

  /** Ends what runs at once. @param ms in which that has to be recorded */
  hurry(ms: number): Promise<void> {
    return this.#operations.hurry(ms);
  }

  /** To be called when grants have changed: what somebody waits for and may not do any longer is ended. */
  review(): void {
    this.#operations.review();
  }
}
