import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { fromRoot } from '../../support/paths.js';
import { until } from '../../support/until.js';

const PROGRAM = fromRoot('bin', 'argo-mqtt.js');
const WITHIN_MS = 60_000;

/** An `argo-mqtt` at work. */
export class RunningBridge {
  #said = '';
  readonly #child;
  readonly #ended;

  /** @param toml of its file @param env on top of this process's own */
  constructor(t: Test, toml: string, env: NodeJS.ProcessEnv = {}) {
    const file = bridgeFile(t, toml);
    this.#child = spawn(process.execPath, [PROGRAM, '--config', file], { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#said = (this.#said + text).slice(-1_000_000); });
    this.#ended = once(this.#child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    t.teardown(() => this.end('SIGKILL'));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  said(): string {
    return this.#said;
  }

  async says(wanted: RegExp): Promise<true> {
    await until(() => wanted.test(this.#said), WITHIN_MS, `${String(wanted)}`).catch((error: unknown) => { throw new Error(`${String(error)} in ${this.#said}`); });
    return true;
  }

  /** @returns its exit code */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#child.kill(signal);
    return this.ended();
  }

  async ended(): Promise<number | null> {
    return (await this.#ended)[0];
  }
}

/** A file of settings that goes away with the test. */
export function bridgeFile(t: Test, toml: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-mqtt-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'mqtt.toml');
  writeFileSync(file, toml);
  chmodSync(file, 0o600);
  return file;
}

/** A folder in which the program has the name that people call it by. */
export function programFolder(parent: string): string {
  const folder = join(parent, 'bin');
  mkdirSync(folder);
  writeFileSync(join(folder, 'argo-mqtt'), `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`, { mode: 0o755 });
  return folder;
}
