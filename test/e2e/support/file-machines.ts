import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../support/paths.js';

/**
 * Machines that are files, by a driver of a plugin folder: unlike simulated ones they outlive the server, and what it
 * has told them takes effect although it was killed meanwhile. Each boot is a line of `NAME.boots`.
 */

/** Seconds from an order to its effect. */
const DELAY = 0.3;

const DRIVER = `
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { text, v } from 'argo-server/driver';

/** Goes on when this process has ended. */
const order = (command, path) => { spawn('/bin/sh', ['-c', 'sleep ${DELAY}; ' + command, path], { detached: true, stdio: 'ignore' }).unref(); };

class FileMachine {
  type = 'vm';
  constructor(folder, id) {
    this.id = this.name = id;
    this.path = join(folder, id);
  }
  get state() { return existsSync(this.path + '.off') ? 'off' : 'on'; }
  async status() {
    await sleep(20);
    return this.state;
  }
  bootMarkLasts = true;
  async bootMark() {
    await sleep(20);
    return String(readFileSync(this.path + '.boots', 'utf8').length);
  }
  async reboot() { order('echo >> "$0.boots"', this.path); }
  async shutdown() { order(': > "$0.off"', this.path); }
}

export default {
  kind: 'driver',
  options: { folder: text, names: v.array(text) },
  open: ({ folder, names }) => {
    const machines = names.map((name) => new FileMachine(folder, name));
    return { list: async () => machines.map((machine) => ({ machine, state: machine.state })), close: async () => undefined };
  },
};
`;

export class FileMachines {
  readonly names: readonly string[];
  readonly #folder: string;

  constructor(folder: string, count: number) {
    this.names = Array.from({ length: count }, (_, index) => `vm${index + 1}`);
    this.#folder = join(folder, 'machines');
    mkdirSync(this.#folder);
    for (const name of this.names) writeFileSync(join(this.#folder, `${name}.boots`), '');
    mkdirSync(join(folder, 'plugins', 'node_modules'), { recursive: true });
    symlinkSync(ROOT, join(folder, 'plugins', 'node_modules', 'argo-server'));
    writeFileSync(join(folder, 'plugins', 'files.mjs'), DRIVER);
  }

  /** The server's keys and a provider, as TOML. @param actionTimeout milliseconds */
  config(actionTimeout: number): string {
    return `[server]
plugin-path = ["plugins"]
action-timeout = "${actionTimeout}ms"
[providers.files]
type = "files"
folder = ${JSON.stringify(this.#folder)}
names = ${JSON.stringify(this.names)}
`;
  }

  isOff(name: string): boolean {
    return existsSync(join(this.#folder, `${name}.off`));
  }

  /** How often it has restarted. */
  boots(name: string): number {
    return readFileSync(join(this.#folder, `${name}.boots`), 'utf8').length;
  }
}
