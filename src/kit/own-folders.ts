import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Folders of whoever this program runs for. One that the environment names by a relative path would be another in each folder
 * that somebody goes to, and whoever fills that one would say which server gets a password: it counts for nothing, as the XDG
 * Base Directory Specification wants it.
 */

/** Where nobody has anything. */
const NOWHERE = '/nonexistent';

const named = (path: string | undefined): string | undefined => (path !== undefined && isAbsolute(path) ? path : undefined);

/** `$HOME`, else what the system knows. */
export function homeFolder(env: NodeJS.ProcessEnv): string {
  return named(env.HOME) ?? systemsHome();
}

function systemsHome(): string {
  try {
    return named(userInfo().homedir) ?? NOWHERE;
  } catch {
    // a user whom the system does not know
    return NOWHERE;
  }
}

/** @param variable of the environment, as `XDG_STATE_HOME` @param usual below the home, where it names none */
export const ownFolder = (env: NodeJS.ProcessEnv, variable: string, ...usual: readonly string[]): string =>
  named(env[variable]) ?? join(homeFolder(env), ...usual);
