import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Config } from '../config/config.js';
import { packageFile } from '../kit/own-files.js';
import { ownFolder } from '../kit/own-folders.js';

/** Where things are on this machine. */

export const SYSTEM_CONFIG = '/etc/argo-server/argo-server.conf';
const SYSTEM_STATE = '/var/lib/argo-server';

/**
 * The configuration file: as asked for, of the environment, or the system's.
 * @returns undefined where there is none
 */
export function findConfig(asked: string | undefined): string | undefined {
  return asked ?? process.env.ARGO_CONFIG ?? (existsSync(SYSTEM_CONFIG) ? SYSTEM_CONFIG : undefined);
}

/**
 * Where state is kept when the configuration does not say: where the environment says, in the clone
 * when run from one, for the system where we may write there, else with the user's own state.
 */
export function defaultStateDir(): string {
  if (process.env.ARGO_STATE_DIR) return process.env.ARGO_STATE_DIR;
  if (existsSync(packageFile('src', 'daemon'))) return packageFile('var');
  try {
    accessSync(existsSync(SYSTEM_STATE) ? SYSTEM_STATE : dirname(SYSTEM_STATE), constants.W_OK);
    return SYSTEM_STATE;
  } catch {
    return join(ownFolder(process.env, 'XDG_STATE_HOME', '.local', 'state'), 'argo-server');
  }
}

/** Files and folders that are the server's own: what decides who may do what, what it keeps, and what it runs. */
export function ownPlaces({ file, server: { stateDir, pluginPath, tls } }: Pick<Config, 'file' | 'server'>): readonly string[] {
  return [...file === undefined ? [] : [file], stateDir, ...pluginPath, ...tls === undefined ? [] : [tls.key]].map((place) => resolve(place));
}

/** The accounts of a start without a configuration file. */
export const ownAccountsFile = (): string => join(defaultStateDir(), 'accounts.conf');

/** The account that is made there at the first start. */
export const OWN_ACCOUNT = 'admin';

/** Its first password, until a start has shown it to a person, somebody removes it, or it is another one. */
export const firstPasswordFile = (): string => join(defaultStateDir(), 'admin-password');
