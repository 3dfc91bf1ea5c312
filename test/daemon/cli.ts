import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { fromRoot } from '../support/paths.js';
import { runProgram, type Outcome } from '../support/programs.js';
import { Terminal } from '../support/terminal.js';

/** For one run of the command line, ms: it starts Node and hashes a password. */
const WITHIN_MS = 30_000;
const SERVER = fromRoot('bin', 'argo-server.js');

/** A folder that goes with its test. */
export function scratch(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-cli-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The environment of a command line whose state, home and configuration are its own. */
const environment = (folder: string): NodeJS.ProcessEnv => ({ ...process.env, HOME: folder, ARGO_STATE_DIR: join(folder, 'state'), ARGO_CONFIG: undefined });

/** Runs `argo-server` to its end. @param folder its home and working directory */
export const argoServer = (folder: string, args: readonly string[], input = ''): Promise<Outcome> =>
  runProgram(process.execPath, [SERVER, ...args], { cwd: folder, env: environment(folder), input });

/** Runs `argo-server` on a pseudo-terminal. */
export const onTerminal = (t: Test, folder: string, args: readonly string[]): Terminal =>
  new Terminal(t, [process.execPath, SERVER, ...args], WITHIN_MS, { cwd: folder, env: environment(folder) });
