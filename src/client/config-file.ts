import { statSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import * as v from 'valibot';
import { ConfigError, parseDocument } from '../config/document.js';
import { duration, flag, text } from '../config/values.js';
import { isUnknownKey, unknownKey } from '../config/unknown-key.js';
import { SettingsError } from './settings-error.js';

/** Bytes of config.toml; more is another file by mistake. */
const MAX_CONFIG_SIZE = 256 * 1024;

const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;

/** The keys that say where a server is, and who we are there. */
export const profileEntries = {
  server: v.optional(text),
  account: v.optional(text),
  password: v.optional(text),
  'password-file': v.optional(text),
  'password-command': v.optional(v.pipe(v.array(text, 'a list of words is expected, such as ["pass", "argo"]'), v.minLength(1, 'must not be empty'))),
  tls: v.optional(flag),
  'ca-file': v.optional(text),
  fingerprint: v.optional(text),
  'cert-file': v.optional(text),
  'key-file': v.optional(text),
  'allow-plain': v.optional(flag),
  'connect-timeout': v.optional(duration),
  'reply-timeout': v.optional(duration),
};

const configSchema = v.strictObject({
  ...profileEntries,
  servers: v.optional(v.record(v.string(), v.strictObject(profileEntries, 'a table is expected')), {}),
});

/** What config.toml says about one server. Durations in milliseconds, file names in full. */
export type Profile = Omit<v.InferOutput<typeof configSchema>, 'servers'>;

/** The top of config.toml, and its tables `[servers.NAME]`. */
export interface ClientConfig {
  readonly base: Profile;
  readonly servers: ReadonlyMap<string, Profile>;
}

/**
 * Reads config.toml.
 * @param home the folder that `~/` in it stands for
 * @throws SettingsError
 */
export function readConfig(path: string, home: string): ClientConfig {
  return readSettingsFile(path, (content) => parseConfig(content, path, home), ({ base, servers }) => [base, ...servers.values()]);
}

/**
 * Reads a file of settings; one with passwords or commands has to be its owner's alone.
 * @param profilesOf what of it may hold them
 * @throws SettingsError, and what the parser throws
 */
export function readSettingsFile<T>(path: string, parse: (content: string) => T, profilesOf: (settings: T) => readonly Profile[]): T {
  let content: string;
  let mode: number;
  try {
    const facts = statSync(path);
    if (facts.size > MAX_CONFIG_SIZE) throw new SettingsError(`${path} is larger than ${MAX_CONFIG_SIZE} bytes`);
    mode = facts.mode;
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw new SettingsError(`cannot read ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
  const settings = parse(content);
  checkMode(profilesOf(settings), path, mode);
  return settings;
}

/** @throws SettingsError with file, line and column */
export function parseConfig(content: string, path: string, home: string): ClientConfig {
  const { servers, ...base } = validated(configSchema, content, path);
  const full = (profile: Profile) => withFullPaths(profile, path, home);
  return { base: full(base), servers: new Map(Object.entries(servers).map(([name, profile]) => [name, full(profile)])) };
}

/** What a file says, checked by its schema. @throws SettingsError with file, line and column */
export function validated<Schema extends v.GenericSchema>(schema: Schema, content: string, path: string): v.InferOutput<Schema> {
  try {
    const document = parseDocument(path, content);
    const result = v.safeParse(schema, document.content);
    if (result.success) return result.output;
    throw new ConfigError(path, result.issues.map((issue) => {
      const keys = issue.path?.map(({ key }) => key as string | number) ?? [];
      return { message: isUnknownKey(issue) ? unknownKey(schema, keys) : `${keys.at(-1)}: ${issue.message}`, position: document.position(keys) };
    }));
  } catch (error) {
    if (error instanceof ConfigError) throw new SettingsError(error.message);
    throw error;
  }
}

/** @param path of the file that it stands in, from whose folder names of files begin @param home the folder that `~/` stands for */
export function withFullPaths<T extends Profile>(profile: T, path: string, home: string): T {
  const full = (file: string) => (file.startsWith('~/') ? join(home, file.slice(2)) : resolve(dirname(path), file));
  const result = { ...profile };
  for (const key of ['password-file', 'ca-file', 'cert-file', 'key-file'] as const) {
    const file = result[key];
    if (file !== undefined) result[key] = full(file);
  }
  return result;
}

/** A password that others can read is none, and a command that others can write is theirs. */
function checkMode(profiles: readonly Profile[], path: string, mode: number): void {
  if ((mode & OTHERS) !== 0 && profiles.some(({ password }) => password !== undefined)) {
    throw new SettingsError(`${path} holds a password and others may read it: chmod 600 ${path}`);
  }
  if ((mode & OTHERS_WRITE) !== 0 && profiles.some((profile) => profile['password-command'] !== undefined)) {
    throw new SettingsError(`${path} names a command to run and others may write it: chmod 600 ${path}`);
  }
}
