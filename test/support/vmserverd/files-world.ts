import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Files } from '../../../src/gateways/vmserverd/files/files.js';
import type { FileRoot } from '../../../src/gateways/vmserverd/files/options.js';
import { fileRows } from '../../../src/gateways/vmserverd/operations/files.js';
import { KeptTasks } from '../../../src/gateways/vmserverd/tasks/kept-tasks.js';
import type { Actor } from '../../../src/instances/actor.js';
import { OwnWorks, type OwnWork } from '../../../src/instances/own-work.js';
import type { Mandate } from '../../../src/instances/principal.js';
import { ArgoError } from '../../../src/kit/errors.js';
import type { BackgroundTask } from '../../../src/gateways/vmserverd/tasks/background-tasks.js';
import { OperationError } from '../../../src/protocols/vmserverd/codes.js';
import type { Element } from '../../../src/protocols/vmserverd/shape.js';
import type { AuditEntry } from '../../../src/store/audit-entry.js';
import { State } from '../../../src/store/state.js';
import { until } from '../until.js';

/** Files as the gateway hands them out, without its sockets: requests are elements, answers are text. */

/** Those of the configuration. */
const ACCOUNTS: ReadonlySet<string> = new Set(['admin', 'kim', 'steve']);

/** How an element is written here: a text, or what is in it; of a list, pairs. */
export type Given = string | { readonly [name: string]: Given } | readonly (readonly [name: string, given: Given])[];

function elementOf(name: string, given: Given): Element {
  if (typeof given === 'string') return { name, text: given, children: [] };
  const entries = Array.isArray(given) ? given as readonly (readonly [string, Given])[] : Object.entries(given);
  return { name, text: '', children: entries.map(([key, value]) => elementOf(key, value)) };
}

export interface Recorded extends AuditEntry {
  outcome?: string;
}

export class FilesWorld {
  readonly files: Files;
  readonly tasks: KeptTasks;
  readonly audit: Recorded[] = [];
  readonly logged: string[] = [];
  /** what the audit throws where it cannot be written */
  auditFails = false;
  readonly admins = new Set(['admin']);
  readonly #works: OwnWorks;
  readonly #accounts = new Map<string, AbortController>();

  constructor(readonly state: State, own: readonly string[] = []) {
    const host = { state: { kv: state.keyValue('gateway vm') }, log: (level: string, message: string) => void this.logged.push(`${level} ${message}`), own };
    this.files = new Files(host);
    this.tasks = new KeptTasks(host);
    this.#works = new OwnWorks({
      log: host.log,
      audit: {
        begin: (entry) => {
          if (this.auditFails) return Promise.reject(new ArgoError('AUDIT UNAVAILABLE', 'nothing was done'));
          return Promise.resolve(this.audit.push({ ...entry }));
        },
        end: (id, outcome) => {
          this.audit[id - 1]!.outcome = outcome;
          return Promise.resolve();
        },
      },
    });
  }

  async roots(...roots: readonly FileRoot[]): Promise<void> {
    (await this.files.prepare(roots)).commit();
  }

  /** Takes an account away, as a reload does. */
  takeAway(account: string): void {
    this.#controllerOf(account).abort(new ArgoError('NOT ALLOWED', 'the account was taken away'));
    this.#accounts.delete(account);
  }

  /** One call. @returns what stands in `<out>` @throws as the operation */
  async call(account: string, operation: string, given: Given = {}, signal: AbortSignal = new AbortController().signal): Promise<string> {
    const row = fileRows[operation];
    if (row === undefined) throw new Error(`no row ${operation}`);
    const args = row.in.read(elementOf('in', given)) as never;
    const out = await row.run({
      account,
      actor: this.#actorOf(account),
      accountSignal: this.#controllerOf(account).signal,
      signal,
      args,
      parts: {
        files: this.files,
        tasks: this.tasks,
        hasEveryRight: (actor: Actor) => this.admins.has(actor.name),
        hasAccount: (name: string) => ACCOUNTS.has(name),
      } as never,
    });
    return [...row.out.write('out', out)].join('').replace(/^<out>|<\/out>$/g, '');
  }

  /** The number of what it throws, and its words; or its answer. */
  async tell(account: string, operation: string, given: Given = {}): Promise<string> {
    try {
      return await this.call(account, operation, given);
    } catch (error) {
      if (error instanceof OperationError) return `${error.code} ${error.message}`;
      if (error instanceof ArgoError) return error.message;
      throw error;
    }
  }

  /** A task of which an answer told, when it has ended. */
  async ended(answer: string, within = 60_000): Promise<BackgroundTask> {
    const [, id = ''] = /<task>([^<]+)<\/task>/.exec(answer) ?? [];
    const look = (): BackgroundTask => this.tasks.get(id, { account: '', mayAll: true });
    await until(() => look().state !== 'running', within, `the end of ${answer}`);
    return look();
  }

  #controllerOf(account: string): AbortController {
    const known = this.#accounts.get(account) ?? new AbortController();
    this.#accounts.set(account, known);
    return known;
  }

  #actorOf(account: string): Actor {
    const mandate = { identity: { name: account }, through: undefined, origin: '192.0.2.7:902 vm' } as unknown as Mandate;
    return {
      name: account,
      record: <T>(own: OwnWork, work: () => Promise<T>, wordsOf: (thrown: unknown) => string | undefined) => this.#works.record(mandate, own, work, wordsOf),
    } as unknown as Actor;
  }
}

export interface Scratch {
  readonly world: FilesWorld;
  /** a root in which `kim` reads and writes and everybody reads */
  readonly root: string;
  /** a folder that is in no root */
  readonly outside: string;
  readonly stateDir: string;
}

export function scratchFolder(t: Test, at = tmpdir()): string {
  const folder = realpathSync(mkdtempSync(join(at, 'argo-files-')));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function openState(t: Test, stateDir: string): State {
  const state = new State(stateDir, (message, facts) => t.comment(message, facts));
  t.teardown(() => state.close());
  return state;
}

export async function startFiles(t: Test): Promise<Scratch> {
  const folder = scratchFolder(t);
  const [root, outside, stateDir] = [join(folder, 'root'), join(folder, 'outside'), join(folder, 'state')];
  [root, outside, stateDir].forEach((one) => mkdirSync(one));
  const world = new FilesWorld(openState(t, stateDir), [stateDir]);
  t.teardown(async () => {
    world.files.close();
    await world.tasks.close();
  });
  await world.tasks.load();
  await world.roots({ path: root, read: ['*'], write: ['kim'] });
  return { world, root, outside, stateDir };
}
