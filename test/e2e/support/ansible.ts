import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { runProgram, type Outcome } from '../../support/programs.js';
import type { Account, Integrated } from './integrations.js';
import { buildCollection } from './packages.js';

export const ANSIBLE_PROGRAMS = ['ansible-doc', 'ansible-galaxy', 'ansible-inventory', 'ansible-playbook'];
export const PLAYER: Account = { name: 'ansible', instances: ['*'], commands: ['read', 'power', 'configure'] };

/** Of one machine, as argo_power tells it. */
export interface Told {
  readonly name: string;
  readonly changed: boolean;
  readonly failed: boolean;
  readonly uncertain: boolean;
  readonly plan?: string;
  readonly before?: string;
  readonly phrase?: string;
  readonly detail?: string;
  readonly state?: string;
}

/** What a task gave. */
export interface Result {
  readonly changed: boolean;
  readonly failed?: boolean;
  readonly msg?: string;
  readonly phrase?: string;
  readonly warnings?: readonly string[];
  readonly instances?: readonly Told[];
  readonly diff?: { readonly prepared: string };
}

/** A task: a module, what it is given, and further words of Ansible's such as `check_mode`. */
export type PlayTask = readonly [module: 'power' | 'info', given: object, words?: object];

export interface Played extends Outcome {
  readonly results: readonly Result[];
}

/** The collection, built as for others and installed by Ansible in a folder of its own. */
export class Ansible {
  /** where its playbooks and inventories are */
  readonly folder: string;
  readonly tarball: string;
  readonly #home: string;
  #plays = 0;

  private constructor(home: string, tarball: string) {
    this.#home = home;
    this.folder = join(home, 'plays');
    this.tarball = tarball;
    mkdirSync(this.folder);
  }

  static async install(t: Test): Promise<Ansible> {
    const home = mkdtempSync(join(tmpdir(), 'argo-ansible-'));
    t.teardown(() => rmSync(home, { recursive: true, force: true }));
    const ansible = new Ansible(home, await buildCollection(join(home, 'packages')));
    const { code, stdout, stderr } = await ansible.run('ansible-galaxy', ['collection', 'install', '--offline', ansible.tarball]);
    t.equal(code, 0, `${stdout}${stderr}`);
    return ansible;
  }

  /** Of whoever has nothing of ours but the collection. */
  get env(): NodeJS.ProcessEnv {
    const { PATH = '' } = process.env;
    // Debian's Python before any other
    return { PATH: `/usr/bin:${PATH}`, HOME: this.#home, LC_ALL: 'C.UTF-8', ANSIBLE_NOCOLOR: '1', PYTHONDONTWRITEBYTECODE: '1' };
  }

  run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    return runProgram(program, args, { cwd: this.folder, env: { ...this.env, ...env } });
  }

  write(name: string, content: object | string): string {
    const path = join(this.folder, name);
    // JSON is YAML
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  }

  /** Plays tasks one after the other, also behind one that fails, on this machine. */
  async play(given: object, tasks: readonly PlayTask[], args: readonly string[] = []): Promise<Played> {
    this.#plays += 1;
    const results = join(this.folder, `results-${this.#plays}.json`);
    const path = this.write(`play-${this.#plays}.yml`, [{
      hosts: 'localhost', gather_facts: false, module_defaults: { 'group/argo.power.argo': given },
      tasks: [
        ...tasks.map(([module, words, more], index) => ({ [`argo.power.argo_${module}`]: words, register: `r${index}`, ignore_errors: true, ...more })),
        { 'ansible.builtin.copy': { dest: results, content: `{{ [${tasks.map((_, index) => `r${index}`).join(', ')}] | to_json }}` }, no_log: true },
      ],
    }]);
    const outcome = await this.run('ansible-playbook', [path, ...args]);
    if (outcome.code !== 0) throw new Error(`${outcome.stdout}${outcome.stderr}`);
    return { ...outcome, results: JSON.parse(readFileSync(results, 'utf8')) as Result[] };
  }

  /** The inventory of a file. */
  async inventory(name: string, content: object, env: NodeJS.ProcessEnv = {}, args: readonly string[] = []): Promise<Outcome & { readonly groups: Inventory }> {
    // a line each: another kind of inventory would take all on one line for a host
    const lines = Object.entries({ plugin: 'argo.power.argo', ...content }).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
    const outcome = await this.run('ansible-inventory', ['-i', this.write(name, lines.join('')), '--list', ...args], env);
    return { ...outcome, groups: JSON.parse(outcome.stdout.slice(outcome.stdout.indexOf('{\n'))) as Inventory };
  }
}

/** Groups by name, as `ansible-inventory --list` prints them. */
export type Inventory = Readonly<Record<string, { readonly hosts?: readonly string[] }>> & {
  readonly _meta: { readonly hostvars: Readonly<Record<string, Readonly<Record<string, unknown>>>> };
};

/** How tasks are told of a daemon. */
export const serverOf = ({ port, etc }: Integrated): object => ({ server: `127.0.0.1:${port}`, account: PLAYER.name, password_file: join(etc, PLAYER.name) });
