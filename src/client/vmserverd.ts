import { ArgoError } from '../kit/errors.js';
import { formatEndpoint, harmless, oneLine } from '../kit/text.js';
import { VMSERVERD_DOCUMENT } from '../kit/vmserverd-limits.js';
import { AUTHD_PORT } from '../protocols/vmserverd/authd.js';
import { VmserverdClient, type WholeAnswer } from '../protocols/vmserverd/client.js';
import { CODES, OperationError } from '../protocols/vmserverd/codes.js';
import { readAnswer, requestDocument } from '../protocols/vmserverd/envelope.js';
import { AuthdRefusal, PlainTextError, VmserverdAnswerError } from '../protocols/vmserverd/errors.js';
import type { VmserverdAddress } from '../protocols/vmserverd/login.js';
import { CertificateError, ConnectionLostError } from '../protocols/tls/errors.js';
import type { Trust } from '../protocols/tls/connect.js';
import { UsageError } from './command-line.js';
import { EXIT, exitCodeOf, type ExitCode, type Failure } from './outcome.js';
import type { Output } from './output.js';
import type { ClientOptions, Settings, TlsSettings } from './settings.js';
import { readPem } from './transport.js';

/** `argo vmserverd HOST exec DOCUMENT`: what VMControl_ServerExec of VMware's VmPerl did. It needs no argo-server. */

const USAGE = 'argo vmserverd HOST[:PORT] exec [--old-tls] [DOCUMENT | -]';

const HELP = [
  USAGE,
  "has one operation carried out by a VMware Server, GSX or ESX 2, or by an argo-server's gateway of that type: '<op>inc</op><in><number>42</number></in>'",
  'HOST may be a [servers.NAME] of config.toml. --account says who; --fingerprint or --ca-file, whom to trust; --no-tls allows a server without TLS,',
  '--old-tls one with TLS of before 2008. Without DOCUMENT, or with -, it is read from standard input. The answer is printed as it came.',
];

/** What may follow `vmserverd` and some words behind it. @param servers names of tables in config.toml */
export const vmserverdWords = (before: readonly string[], servers: readonly string[]): readonly string[] =>
  (before.length === 0 ? servers : before.length === 1 ? ['exec'] : ['--old-tls']);

/** What the command is carried out with. */
export interface VmserverdSetting {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly json: boolean;
  settings(options: ClientOptions): Promise<Settings>;
  /** undefined: there is none, and nobody to ask */
  password(settings: Settings, account: string): Promise<string | undefined>;
  /** what is piped to us. @param most bytes @throws UsageError, SettingsError, the signal's reason */
  input(most: number, signal: AbortSignal): Promise<string>;
}

interface Words {
  readonly host: string;
  readonly isOldTlsAllowed: boolean;
  /** undefined: it is read from standard input */
  readonly document: string | undefined;
}

/** @param words behind `vmserverd` @throws UsageError */
export function readVmserverdWords(words: readonly string[]): Words {
  const isOldTlsAllowed = words.includes('--old-tls');
  const [host, verb, document, ...more] = words.filter((word) => word !== '--old-tls');
  const unknown = [host, verb, document].find((word) => word?.startsWith('--'));
  if (unknown !== undefined) throw new UsageError(`${unknown} is not known here: ${USAGE}`);
  if (host === undefined || verb?.toLowerCase() !== 'exec' || more.length > 0) throw new UsageError(`it is used as ${USAGE}`);
  return { host, isOldTlsAllowed, document: document === '-' ? undefined : document };
}

/**
 * Has one operation carried out, and prints the answer as it came.
 * @throws UsageError, SettingsError, BrokenPipe, the signal's reason
 */
export async function runVmserverd(setting: VmserverdSetting, options: ClientOptions, words: readonly string[], signal: AbortSignal): Promise<ExitCode> {
  if (words.includes('--help')) {
    await setting.stdout.lines(HELP);
    return EXIT.done;
  }
  const { host, isOldTlsAllowed, document } = readVmserverdWords(words);
  const settings = await setting.settings({ ...options, server: host, defaultPort: AUTHD_PORT });
  try {
    const request = requestOf(document ?? await setting.input(VMSERVERD_DOCUMENT, signal));
    const answer = await exec(setting, settings, isOldTlsAllowed, request, signal);
    return await show(setting, host, answer);
  } catch (error) {
    signal.throwIfAborted();
    const explained = explain(error, formatEndpoint(settings.address));
    if (!(explained instanceof ArgoError)) throw explained;
    return tell(setting, host, undefined, explained);
  }
}

/** @throws ArgoError BAD REQUEST */
function requestOf(typed: string): string {
  try {
    return requestDocument(typed);
  } catch (error) {
    if (error instanceof OperationError) throw new ArgoError('BAD REQUEST', `${error.message}; nothing was sent`, { cause: error });
    throw error;
  }
}

async function exec(setting: VmserverdSetting, settings: Settings, isOldTlsAllowed: boolean, request: string, signal: AbortSignal): Promise<WholeAnswer> {
  const { address, account, tls, isPlainWanted, allowPlain, replyTimeout } = settings;
  if (account === undefined) throw new ArgoError('NOT AUTHENTICATED', 'who logs in? --account NAME');
  const password = await setting.password(settings, account);
  if (password === undefined) throw new ArgoError('NOT AUTHENTICATED', `there is no password of ${account}, and no terminal to ask on`);
  const place: VmserverdAddress = { ...address, trust: trustOf(tls), isPlainAllowed: isPlainWanted || allowPlain, isOldTlsAllowed };
  const client = await VmserverdClient.connect(place, { user: account, password }, signal, 'text');
  try {
    return await client.execDocument(request, signal, { answerTimeout: replyTimeout });
  } finally {
    client.close();
  }
}

/** Where both a fingerprint and an authority are given, the fingerprint says more. @throws SettingsError */
function trustOf(tls: TlsSettings | undefined): Trust {
  if (tls?.pin !== undefined) return { kind: 'fingerprints', fingerprints: [Buffer.from(tls.pin, 'hex').toString('base64').replace(/=+$/, '')] };
  if (tls?.caFile === undefined) return { kind: 'authorities' };
  return { kind: 'authorities', ca: readPem(tls.caFile).toString() };
}

/** The answer as it came, and whether it is one of success. */
async function show(setting: VmserverdSetting, host: string, answer: WholeAnswer): Promise<ExitCode> {
  try {
    readAnswer(answer.root);
    return await tell(setting, host, answer.text, undefined);
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    return await tell(setting, host, answer.text, failureOf(error));
  }
}

const failureOf = ({ code, message }: OperationError): Failure =>
  ({ phrase: code === CODES.NO_PERMISSION ? 'NOT ALLOWED' : 'FAILED', detail: `${oneLine(message)} (error ${code})` });

async function tell({ stdout, stderr, json }: VmserverdSetting, host: string, answer: string | undefined, failure: Failure | undefined): Promise<ExitCode> {
  const error = failure === undefined ? null : { phrase: failure.phrase, detail: failure.detail };
  if (json) await stdout.lines([JSON.stringify({ command: `vmserverd ${host} exec`, ok: failure === undefined, answer: answer ?? null, error })]);
  else {
    if (answer !== undefined) await stdout.lines(answer.split(/\r?\n/));
    if (failure !== undefined) await stderr.lines([harmless(`argo: ${failure.phrase}${failure.detail && `: ${failure.detail}`}`)]);
  }
  return failure === undefined ? EXIT.done : exitCodeOf(failure.phrase);
}

/** @param name of the server, for people @returns what is no error of the way to it, as it is */
function explain(error: unknown, name: string): unknown {
  if (error instanceof ConnectionLostError || error instanceof VmserverdAnswerError) {
    return error.sent ? new ArgoError('UNCERTAIN', `${name}: ${error.message}; it may have been carried out`, { cause: error }) : new ArgoError('UNREACHABLE', `${name}: ${error.message}; nothing was done`, { cause: error });
  }
  if (error instanceof AuthdRefusal) return new ArgoError(error.isLogin ? 'NOT AUTHENTICATED' : 'UNREACHABLE', `${name}: ${error.message}`, { cause: error });
  if (error instanceof PlainTextError) return new ArgoError('UNREACHABLE', `${name} speaks in the clear, where everybody on the way can read the password: nothing was sent; --no-tls allows it`, { cause: error });
  if (error instanceof CertificateError) return new ArgoError('CERTIFICATE REJECTED', `${name}: ${error.message}; nothing was sent; --fingerprint or --ca-file says which is right`, { cause: error });
  if (error instanceof RangeError) return new ArgoError('BAD REQUEST', error.message, { cause: error });
  return error;
}
