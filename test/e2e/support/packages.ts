import { mkdirSync } from 'node:fs';
import { fromRoot } from '../../support/paths.js';
import { runNode } from '../../support/programs.js';

/** When the packages of tests are said to be made. */
const EPOCH = '1790000000';

/** @returns the package's path */
async function build(out: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  mkdirSync(out, { recursive: true });
  const { code, stdout, stderr } = await runNode([fromRoot('scripts', 'package.js'), '--as-it-is', '--quick', '--out', out, ...args], { env: { ...process.env, SOURCE_DATE_EPOCH: EPOCH, ...env } });
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** Builds the Debian package of what is compiled. @returns its path */
export const buildDebian = (out: string, version: string, env?: NodeJS.ProcessEnv): Promise<string> => build(out, ['--only', 'deb', '--version', version], env);

/** Builds the Ansible collection. @returns its path */
export const buildCollection = (out: string, env?: NodeJS.ProcessEnv): Promise<string> => build(out, ['--only', 'ansible'], env);

/** Packs the npm tarball. @returns its path */
export const buildTarball = (out: string): Promise<string> => build(out, ['--only', 'npm']);
