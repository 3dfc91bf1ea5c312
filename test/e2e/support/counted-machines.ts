import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../support/paths.js';

/**
 * Machines of a driver of a plugin folder that counts: each act is a letter behind its machine's file, written when the
 * act takes place. So it is known what was really done, however the server that did it ended.
 */

/** The letter of each act. */
export type Act = 's' | 'p' | 'r';

const DRIVER = `
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { text, v } from 'argo-server/driver';

class CountedMachine {
  type = 'vm';
  bootMarkLasts = true;
  constructor(folder, name, delay, host) {
    this.id = 'id-' + name;
    this.name = name;
    this.path = join(folder, name);
    this.delay = delay;
    this.host = host;
  }
  get acts() { return readFileSync(this.path, 'latin1'); }
  get state() {
    const acts = this.acts;
    return acts.lastIndexOf('p') > acts.lastIndexOf('s') ? 'off' : 'on';
  }
  async status() { return this.state; }
  async bootMark() { return String(this.acts.split('r').length - 1); }
  async uptime() { return 60; }
  // the order takes its time, and takes effect at the end of it
  async act(letter) {
    await sleep(this.delay);
    appendFileSync(this.path, letter);
    this.host.changed(this.id, this.state);
  }
  start() { return this.act('s'); }
  shutdown() { return this.act('p'); }
  powerOff() { return this.act('p'); }
  reboot() { return this.act('r'); }
}

export default {
  kind: 'driver',
  options: { folder: text, names: v.array(text), delay: v.optional(v.number(), 5), slow: v.optional(v.record(v.string(), v.number()), {}) },
  open: ({ folder, names, delay, slow }, host) => {
    const machines = names.map((name) => new CountedMachine(folder, name, slow[name] ?? delay, host));
    return { list: async () => machines.map((machine) => ({ machine, state: machine.state })), dmesg: async () => 'counted machines\\n', close: async () => undefined };
  },
};
`;

export interface CountedOptions {
  readonly names: readonly string[];
  /** milliseconds from an order to its effect; of some machines another time */
  readonly delay?: number;
  readonly slow?: Readonly<Record<string, number>>;
}

export class CountedMachines {
  readonly names: readonly string[];
  readonly #options: CountedOptions;
  readonly #folder: string;
  /** for `plugin-path` */
  readonly plugins: string;

  /** @param folder of the daemon */
  constructor(folder: string, options: CountedOptions) {
    this.names = options.names;
    this.#options = options;
    this.#folder = join(folder, 'machines');
    mkdirSync(this.#folder);
    for (const name of this.names) writeFileSync(join(this.#folder, name), '');
    this.plugins = join(folder, 'plugins');
    const modules = join(this.plugins, 'node_modules');
    mkdirSync(modules, { recursive: true });
    if (!existsSync(join(modules, 'argo-server'))) symlinkSync(ROOT, join(modules, 'argo-server'));
    writeFileSync(join(this.plugins, 'counted.mjs'), DRIVER);
  }

  /** The table of a provider, as TOML; the server needs {@link plugins}. @param more further keys */
  table(provider: string, more = ''): string {
    const { delay, slow = {} } = this.#options;
    const pairs = Object.entries(slow).map(([name, ms]) => `${JSON.stringify(name)} = ${ms}`).join(', ');
    return `[providers.${provider}]\ntype = "counted"\nfolder = ${JSON.stringify(this.#folder)}\nnames = ${JSON.stringify(this.names)}\n${delay === undefined ? '' : `delay = ${delay}\n`}slow = { ${pairs} }\n${more}\n`;
  }

  /** What was done to a machine, in order. */
  acts(name: string): string {
    return readFileSync(join(this.#folder, name), 'latin1');
  }

  count(name: string, act: Act): number {
    return this.acts(name).split(act).length - 1;
  }
}
