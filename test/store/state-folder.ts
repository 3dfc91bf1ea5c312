import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { State } from '../../src/store/state.js';

/** A state folder that goes with its test. */
export function scratch(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-state-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What is in a folder, until its test is over. */
export function open(t: Test, folder: string): State {
  const state = new State(folder, (message, facts) => t.comment(message, facts));
  t.teardown(() => state.close());
  return state;
}
