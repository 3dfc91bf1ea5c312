import { join } from 'node:path';
import { ownFolder } from '../kit/own-folders.js';
import { formatEndpoint } from '../kit/text.js';
import { type Address, DEFAULT_PORT, parseAddress } from './address.js';
import type { ClientConfig, Profile } from './config-file.js';
import { SettingsError } from './settings-error.js';

/** Opening a connection, TLS included, in milliseconds. */
const CONNECT_TIMEOUT = 10_000;

/** Silence of the server during a command, in milliseconds: above its own default of 120 s for an action. */
const REPLY_TIMEOUT = 300_000;

const DEFAULT_SERVER = '127.0.0.1:20203';

/** How a TLS server proves itself. Without a CA file the system's authorities count. */
export interface TlsSettings {
  readonly caFile?: string;
  /** the certificate's SHA-256 in lower-case hexadecimal */
  readonly pin?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Where a password may come from, in this order; the terminal is asked last. */
export interface PasswordSources {
  readonly literal?: string;
  readonly file?: string;
  readonly command?: readonly string[];
}

export interface Settings {
  readonly address: Address;
  readonly account: string | undefined;
  readonly password: PasswordSources;
  /** undefined for plain text */
  readonly tls: TlsSettings | undefined;
  /** plain text was asked for, instead of TLS not being asked for */
  readonly isPlainWanted: boolean;
  /** say nothing when a password goes over the network in plain text */
  readonly allowPlain: boolean;
  /** milliseconds */
  readonly connectTimeout: number;
  /** milliseconds of silence during a command */
  readonly replyTimeout: number;
}

/** The options of the command line that change settings. */
export interface ClientOptions {
  /** for an address in `server` that names none; left out: that of the line protocol */
  readonly defaultPort?: number;
  readonly server?: string | undefined;
  readonly account?: string | undefined;
  readonly config?: string | undefined;
  readonly tls?: boolean | undefined;
  readonly caFile?: string | undefined;
  readonly fingerprint?: string | undefined;
}

/**
 * A SHA-256 fingerprint in lower-case hexadecimal: `SHA256:` and base64 as ssh prints it, or
 * hexadecimal as openssl does, with or without colons.
 */
export function parseFingerprint(text: string): string | undefined {
  const value = text.replace(/^sha256[:= ]/i, '');
  const hex = value.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(value)) return undefined;
  return Buffer.from(value, 'base64').toString('hex');
}

/** A fingerprint in the form that config.toml takes. */
export const formatFingerprint = (hex: string): string =>
  `SHA256:${Buffer.from(hex, 'hex').toString('base64').replace(/=$/, '')}`;

/**
 * The settings of this run: option before environment before config.toml. A profile stands for
 * itself: nothing that belongs to one server, least of all a password, is used with another.
 * @throws SettingsError
 */
export function settle(config: ClientConfig, options: ClientOptions, env: NodeJS.ProcessEnv): Settings {
  const wanted = options.server ?? (env.ARGO_SERVER || undefined);
  const { profile, address } = choose(config, wanted, options.defaultPort ?? DEFAULT_PORT);
  const account = options.account ?? (env.ARGO_ACCOUNT || undefined) ?? profile.account;
  return {
    address,
    account,
    password: passwordSources(profile, account, env),
    tls: tlsSettings(profile, options, env),
    isPlainWanted: wantedTls(profile, options, env) === false,
    allowPlain: profile['allow-plain'] ?? false,
    connectTimeout: profile['connect-timeout'] ?? CONNECT_TIMEOUT,
    replyTimeout: profile['reply-timeout'] ?? REPLY_TIMEOUT,
  };
}

function choose({ base, servers }: ClientConfig, wanted: string | undefined, defaultPort: number): { profile: Profile; address: Address } {
  const addressOf = (text: string, port = DEFAULT_PORT): Address => {
    const address = parseAddress(text, port);
    if (address === undefined) throw new SettingsError(`"${text}" is neither host:port nor a [servers.NAME] of config.toml`);
    return address;
  };
  if (wanted === undefined) return { profile: base, address: addressOf(base.server ?? DEFAULT_SERVER, defaultPort) };
  const named = servers.get(wanted);
  if (named !== undefined) {
    if (named.server === undefined) throw new SettingsError(`[servers.${wanted}] of config.toml has no server = "host:port"`);
    return { profile: named, address: addressOf(named.server) };
  }
  const address = addressOf(wanted, defaultPort);
  const same = [base, ...servers.values()].find(({ server }) => {
    const known = server === undefined ? undefined : parseAddress(server);
    return known !== undefined && formatEndpoint(known) === formatEndpoint(address);
  });
  return { profile: same ?? {}, address };
}

function passwordSources(profile: Profile, account: string | undefined, env: NodeJS.ProcessEnv): PasswordSources {
  if (env.ARGO_PASSWORD) return { literal: env.ARGO_PASSWORD };
  if (env.ARGO_PASSWORD_FILE) return { file: env.ARGO_PASSWORD_FILE };
  if (account !== profile.account) return {};
  return {
    ...(profile.password !== undefined && { literal: profile.password }),
    ...(profile['password-file'] !== undefined && { file: profile['password-file'] }),
    ...(profile['password-command'] !== undefined && { command: profile['password-command'] }),
  };
}

function tlsSettings(profile: Profile, options: ClientOptions, env: NodeJS.ProcessEnv): TlsSettings | undefined {
  const caFile = options.caFile ?? (env.ARGO_CA_FILE || undefined) ?? profile['ca-file'];
  const fingerprint = options.fingerprint ?? (env.ARGO_FINGERPRINT || undefined) ?? profile.fingerprint;
  const trusted = caFile !== undefined || fingerprint !== undefined;
  const wanted = wantedTls(profile, options, env);
  if (wanted === false && trusted) throw new SettingsError('a CA file or a fingerprint is given, and TLS is switched off');
  if (!(wanted ?? trusted)) return undefined;
  const pin = fingerprint === undefined ? undefined : parseFingerprint(fingerprint);
  if (fingerprint !== undefined && pin === undefined) {
    throw new SettingsError('the fingerprint is not one: write SHA256:… as `argo` or openssl x509 -fingerprint -sha256 prints it');
  }
  return {
    ...(caFile !== undefined && { caFile }),
    ...(pin !== undefined && { pin }),
    ...(profile['cert-file'] !== undefined && { certFile: profile['cert-file'] }),
    ...(profile['key-file'] !== undefined && { keyFile: profile['key-file'] }),
  };
}

const wantedTls = (profile: Profile, options: ClientOptions, env: NodeJS.ProcessEnv): boolean | undefined => options.tls ?? environmentFlag(env.ARGO_TLS, 'ARGO_TLS') ?? profile.tls;

function environmentFlag(value: string | undefined, name: string): boolean | undefined {
  if (value === undefined || value === '') return undefined;
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off)$/i.test(value)) return false;
  throw new SettingsError(`${name} must be true or false`);
}

/** Where settings of a person's own are: $ARGO_CONFIG_HOME, else $XDG_CONFIG_HOME/argo, else ~/.config/argo. */
export const configFolder = (env: NodeJS.ProcessEnv): string =>
  env.ARGO_CONFIG_HOME || join(ownFolder(env, 'XDG_CONFIG_HOME', '.config'), 'argo');

/** The client's. */
export const configPath = (env: NodeJS.ProcessEnv): string => join(configFolder(env), 'config.toml');

/** The folder for what the client remembers: $XDG_STATE_HOME/argo, else ~/.local/state/argo. */
export const stateFolder = (env: NodeJS.ProcessEnv): string => join(ownFolder(env, 'XDG_STATE_HOME', '.local', 'state'), 'argo');

/** The folder for what the client may forget at any time: $XDG_CACHE_HOME/argo, else ~/.cache/argo. */
export const cacheFolder = (env: NodeJS.ProcessEnv): string => join(ownFolder(env, 'XDG_CACHE_HOME', '.cache'), 'argo');
