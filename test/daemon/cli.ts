import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';

/** For one run of the command line, ms: it starts Node and hashes a password. */
const WITHIN_MS = 30_000;
const SERVER = fromRoot('bin', 'argo-server.js');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder that goes with its test. */
export function scratch(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-cli-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The environment of a command line whose state, home and configuration are its own. */
const environment = (folder: string): NodeJS.ProcessEnv => ({ ...process.env, HOME: folder, ARGO_STATE_DIR: join(folder, 'state'), ARGO_CONFIG: undefined });

function watch(child: ChildProcess): { output: { stdout: string; stderr: string }; ended: Promise<Outcome> } {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name]?.setEncoding('utf8').on('data', (text: string) => { output[name] += text; });
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...output }));
  });
  return { output, ended };
}

/** Runs `argo-server` to its end. @param folder its home and working directory */
export function argoServer(folder: string, args: readonly string[], input = ''): Promise<Outcome> {
  const child = spawn(process.execPath, [SERVER, ...args], { cwd: folder, env: environment(folder), timeout: WITHIN_MS });
  // one that ends without reading leaves a broken pipe
  child.stdin.on('error', () => undefined).end(input);
  return watch(child).ended;
}

/** `argo-server` on a pseudo-terminal. */
export interface Terminal {
  /** Waits until a text is on the screen, and types then. */
  answer(prompt: string, typed: string): Promise<void>;
  shown(): string;
  readonly ended: Promise<Outcome>;
}

/** Runs `argo-server` on a pseudo-terminal, by script(1). */
export function onTerminal(t: Test, folder: string, args: readonly string[]): Terminal {
  const command = [process.execPath, SERVER, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: folder, env: environment(folder), timeout: WITHIN_MS });
  t.teardown(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => undefined);
  const { output, ended } = watch(child);
  let seen = 0;
  return {
    ended,
    shown: () => output.stdout,
    answer: async (prompt, typed) => {
      await until(() => output.stdout.indexOf(prompt, seen) >= 0, WITHIN_MS, `${prompt} on the terminal, which shows ${JSON.stringify(output.stdout)}`);
      seen = output.stdout.indexOf(prompt, seen) + prompt.length;
      child.stdin.write(typed);
    },
  };
}
