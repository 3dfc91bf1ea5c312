import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { run } from '../../peers/enclosure.js';
import { fromRoot } from '../../support/paths.js';
import { runNode } from '../../support/programs.js';

/** When the packages of tests are said to be made. */
const EPOCH = '1790000000';
/** lintian, Debian's own checker, looks at each of some thousand files, ms. */
const LINTIAN_WITHIN_MS = 150_000;

/** A folder for packages, which goes with the test. */
export function packageFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-package-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** @returns the package's path */
async function build(out: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  mkdirSync(out, { recursive: true });
  const { code, stdout, stderr } = await runNode([fromRoot('scripts', 'package.js'), '--as-it-is', '--quick', '--out', out, ...args], { env: { ...process.env, SOURCE_DATE_EPOCH: EPOCH, ...env } });
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** Builds a Debian package of what is compiled. @param kind the one that needs the system's Node, or the one that brings its own @returns its path */
export const buildDebian = (out: string, version: string, env?: NodeJS.ProcessEnv, kind: 'deb' | 'bundled' = 'deb'): Promise<string> =>
  build(out, ['--only', kind, '--version', version], env);

/** Builds the Ansible collection. @returns its path */
export const buildCollection = (out: string, env?: NodeJS.ProcessEnv): Promise<string> => build(out, ['--only', 'ansible'], env);

/** Packs the npm tarball. @returns its path */
export const buildTarball = (out: string): Promise<string> => build(out, ['--only', 'npm']);

/** That lintian finds nothing wrong with a Debian package, nor anything in vain that it is told to pass over. */
export async function lintian(t: Test, path: string): Promise<void> {
  const { code, stdout, stderr } = await run('lintian', ['--allow-root', '--fail-on', 'error', path], LINTIAN_WITHIN_MS);
  t.equal(`${stdout}${stderr}`, '');
  t.equal(code, 0);
}
