import { explainSsh } from '../drivers/ssh/errors.js';
import { EnrolmentError, type HostLogin } from '../instances/enrolment.js';
import type { HostType } from '../instances/tags.js';
import { HOST_COMMAND_TIMEOUT, HOST_LOGIN_TIMEOUT, HOST_OUTPUT } from '../kit/enrolment-limits.js';
import { oneLine } from '../kit/text.js';
import { runCommand } from '../protocols/ssh/command.js';
import { quote, SshConnection, type SshOptions } from '../protocols/ssh/connection.js';
import { SshAuthenticationError } from '../protocols/ssh/errors.js';
import { lineOf } from './own-keys.js';
import type { HostRecord } from './records.js';

/** What is done on a host, over SSH. */

/** With what to log in; with nothing of it nobody is let in. */
export type Credentials = Pick<SshOptions, 'privateKey' | 'password' | 'agent'>;

/** What a host was found to be. */
export interface Found {
  readonly type: HostType;
  /** false: it is `physical` since nothing else was found */
  readonly isIdentified: boolean;
  /** which driver manages it: libvirt with which of its own, or none */
  readonly libvirt: 'qemu' | 'lxc' | undefined;
}

/** The key of ours comes by stdin. A line that has no end yet gets one before ours. */
const INSTALL = `umask 077; cd && mkdir -p .ssh && touch .ssh/authorized_keys && key=$(cat) && blob=$(printf %s "$key" | cut -d " " -f 2) &&
{ grep -qF -e "$blob" .ssh/authorized_keys || {
{ [ -z "$(tail -c 1 .ssh/authorized_keys)" ] || echo >> .ssh/authorized_keys; } && printf "%s\\n" "$key" >> .ssh/authorized_keys; }; } &&
{ ! command -v restorecon > /dev/null 2>&1 || restorecon -R .ssh > /dev/null 2>&1 || true; }`;

/** Each line with our key goes, whatever stands before it. The file stays the same one, with its owner and mode. */
const REMOVE = `umask 077; cd && key=$(cat) && blob=$(printf %s "$key" | cut -d " " -f 2) && [ -n "$blob" ] &&
if [ -f .ssh/authorized_keys ]; then rest=$(grep -vF -e "$blob" .ssh/authorized_keys; [ $? -le 1 ] && echo .) &&
rest=\${rest%.} && printf %s "$rest" > .ssh/authorized_keys; fi`;

/** Of OpenVZ, its kernel says so; of OpenNode, its release. Whether libvirt has QEMU or LXC, it says itself. */
const LOOK = `[ -e /etc/opennode-release ] && echo opennode; [ -e /proc/vz/veinfo ] && echo openvz;
if command -v virsh > /dev/null 2>&1; then virsh -r -c qemu:///system uri > /dev/null 2>&1 < /dev/null && echo qemu; virsh -r -c lxc:///system uri > /dev/null 2>&1 < /dev/null && echo lxc; fi; :`;

/** In one line and by sh: what the login shell is, nobody knows. */
const asCommand = (script: string): string => `sh -c ${quote(script.replaceAll('\n', ' '))}`;

/** Logs in with the first credentials that are taken. @throws EnrolmentError ACCESS DENIED where none is; ArgoError as the driver's */
async function logIn(
  record: HostRecord,
  user: string,
  tries: readonly Credentials[],
  signal: AbortSignal,
): Promise<{ readonly connection: SshConnection; readonly at: number }> {
  let refusal: SshAuthenticationError | undefined;
  for (const [at, credentials] of tries.entries()) {
    try {
      const connection = await SshConnection.connect(
        {
          host: record.host,
          port: record.port,
          user,
          hostKey: { knownHosts: lineOf(record) },
          timeout: HOST_LOGIN_TIMEOUT,
          ...credentials,
        },
        signal,
      );
      return { connection, at };
    } catch (error) {
      if (!(error instanceof SshAuthenticationError)) throw explainSsh(error, 'reads');
      refusal = error;
    }
  }
  throw new EnrolmentError(
    'add-key',
    'ACCESS DENIED',
    oneLine(`${record.name}: ${user} is not let in: ${refusal?.message ?? 'there is nothing to log in with'}`),
    { cause: refusal },
  );
}

async function run(
  connection: SshConnection,
  script: string,
  stdin: string,
  signal: AbortSignal,
): Promise<{ readonly code: number | undefined; readonly stdout: string; readonly stderr: string }> {
  try {
    return await runCommand(connection, asCommand(script), {
      signal,
      stdin,
      timeout: HOST_COMMAND_TIMEOUT,
      maxOutput: HOST_OUTPUT,
    });
  } catch (error) {
    throw explainSsh(error, 'acts');
  }
}

/** Who can log in. */
export interface Access {
  readonly record: HostRecord;
  readonly user: string;
  readonly own: { readonly privateKey: string };
  /** a line of authorized_keys */
  readonly publicKey: string;
}

/**
 * Brings our key onto a host and sees that it opens it. A secret is shown to nobody but a host with the key that was approved, and
 * only where ours does not open it yet.
 * @param ways other credentials, in this order
 * @param before done before anything is changed there, which is not needed where ours opens it already
 * @throws EnrolmentError, ArgoError
 */
export async function installKey(
  { record, user, own, publicKey }: Access,
  ways: readonly Credentials[],
  before: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { connection, at } = await logIn(record, user, [own, ...ways], signal);
  try {
    if (at === 0) return;
    await before();
    const { code, stderr } = await run(connection, INSTALL, publicKey, signal);
    if (code !== 0)
      throw new EnrolmentError('add-key', 'FAILED', oneLine(`${record.name}: the key cannot be added: ${stderr}`, HOST_OUTPUT));
  } finally {
    connection.close();
  }
  try {
    (await logIn(record, user, [own], signal)).connection.close();
  } catch (error) {
    if (!(error instanceof EnrolmentError)) throw error;
    throw new EnrolmentError(
      'add-key',
      'ACCESS DENIED',
      `${record.name}: the key was added to ~${user}/.ssh/authorized_keys, and the host does not take it: see AuthorizedKeysFile and PubkeyAuthentication of its sshd`,
      { cause: error },
    );
  }
}

/** Takes our key from a host, and sees that it opens it no longer. @throws EnrolmentError where it may still be there */
export async function removeKey({ record, user, own, publicKey }: Access, signal: AbortSignal): Promise<void> {
  try {
    const { connection } = await logIn(record, user, [own], signal);
    try {
      const { code, stderr } = await run(connection, REMOVE, publicKey, signal);
      if (code !== 0) throw new EnrolmentError('remove-key', 'FAILED', oneLine(`${record.name}: the key cannot be removed: ${stderr}`, HOST_OUTPUT));
    } finally {
      connection.close();
    }
    (await logIn(record, user, [own], signal)).connection.close();
  } catch (error) {
    // it does not open it: that is what was wanted
    if (error instanceof EnrolmentError && error.step === 'add-key') return;
    throw error;
  }
  throw new EnrolmentError('remove-key', 'FAILED', `${record.name}: the host lets our key in from elsewhere than ~${user}/.ssh/authorized_keys`);
}

/** What a host is. @throws ArgoError */
export async function identify({ record, user, own }: Access, signal: AbortSignal): Promise<Found> {
  const { connection } = await logIn(record, user, [own], signal);
  try {
    const { stdout } = await run(connection, LOOK, '', signal);
    const words = new Set(stdout.split(/\s+/));
    const libvirt = words.has('qemu') ? 'qemu' : words.has('lxc') ? 'lxc' : undefined;
    return { ...typeOf(words), libvirt };
  } finally {
    connection.close();
  }
}

function typeOf(words: ReadonlySet<string>): Pick<Found, 'type' | 'isIdentified'> {
  if (words.has('opennode')) return { type: 'OpenNode', isIdentified: true };
  if (words.has('openvz')) return { type: words.has('qemu') ? 'KVM+OpenVZ' : 'OpenVZ', isIdentified: true };
  if (words.has('qemu')) return { type: 'KVM', isIdentified: true };
  return { type: 'physical', isIdentified: false };
}

/** The ways onto a host beside our own key: what somebody has given for this once, what the configuration has, and an agent's. */
export function waysOnto({ password }: HostLogin, privateKey: string | undefined): readonly Credentials[] {
  if (password !== undefined) return [{ password }];
  const agent = process.env.SSH_AUTH_SOCK;
  return [...(privateKey === undefined ? [] : [{ privateKey }]), ...(agent === undefined ? [] : [{ agent }])];
}
