import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ConnectionLostError } from '../tls/errors.js';
import { WmiAccessError, WmiAnswerError, WmiLoginRefusedError } from '../wmi/errors.js';
import type { Sealing } from './frame.js';

/** Debian's own Python, which sees Debian's modules. */
const PYTHON = '/usr/bin/python3';
/** From the first packet to a KDC to the check of the service's answer, ms. */
const LOGIN_TIMEOUT_MS = 40_000;
/** Characters of one line of the helper: a token with the memberships of a large directory is some ten kB, an answer up to 4 MiB. */
const LINE_LIMIT = 8 * 1024 * 1024;
/** For one message, ms. */
const SEALING_TIMEOUT_MS = 20_000;

/**
 * Speaks for us to MIT Kerberos by GSS-API, which knows the realm's KDCs from krb5.conf or DNS: gets a
 * ticket with the password, which it reads and never keeps, then proves that the service is who it says.
 */
const HELPER = `
import base64, json, sys
def say(**what):
    print(json.dumps(what), flush=True)
try:
    import gssapi
    from gssapi.raw import ChannelBindings, IOV, IOVBufferType, acquire_cred_with_password, wrap_iov
except ImportError:
    say(absent=True)
    sys.exit()
krb5 = gssapi.MechType.kerberos
flag = gssapi.RequirementFlag
FLAGS = {False: flag.mutual_authentication, True: flag.mutual_authentication | flag.confidentiality | flag.integrity | flag.replay_detection | flag.out_of_sequence_detection}
asked = json.loads(sys.stdin.readline())
try:
    name = gssapi.Name(asked["principal"], gssapi.NameType.kerberos_principal)
    creds = acquire_cred_with_password(name, asked["password"].encode(), mechs=[krb5], usage="initiate").creds
    bindings = ChannelBindings(application_data=base64.b64decode(asked["binding"])) if asked["binding"] else None
    context = gssapi.SecurityContext(name=gssapi.Name(asked["service"], gssapi.NameType.hostbased_service), creds=gssapi.Credentials(creds),
        mech=krb5, usage="initiate", flags=FLAGS[asked["seals"]], channel_bindings=bindings)
    say(token=base64.b64encode(context.step()).decode())
    context.step(base64.b64decode(sys.stdin.readline()))
    say(done=context.complete)
    if asked["seals"]:
        for line in sys.stdin:
            order = json.loads(line)
            if "message" in order:
                # So that all that is not the message itself comes before it.
                iov = IOV(IOVBufferType.header, base64.b64decode(order["message"]), IOVBufferType.padding, std_layout=False)
                if not wrap_iov(context, iov, confidential=True):
                    sys.exit()
                say(signature=base64.b64encode(iov[0].value).decode(), ciphertext=base64.b64encode(iov[1].value + (iov[2].value or b"")).decode())
            else:
                opened = context.unwrap(base64.b64decode(order["sealed"]))
                say(message=base64.b64encode(opened.message).decode(), encrypted=opened.encrypted)
except gssapi.exceptions.GSSError as error:
    say(minor=error.min_code, words=str(error))
`;

/** Errors of Kerberos (RFC 4120, section 7.5.9, as krb5.h counts them: from -1765328384) by what they mean for us. */
const BASE = -1_765_328_384;
const REFUSED: Readonly<Record<number, string>> = {
  6: 'the realm knows no such account',
  18: 'the account is disabled or locked',
  23: 'the password has expired',
  24: 'the account or its password is not accepted',
  31: 'the account or its password is not accepted',
};
const DENIED: Readonly<Record<number, string>> = {
  7: 'the realm knows no such service; is its address the name that its certificate and its principal have?',
  // It is a moment old.
  32: 'the ticket has expired already: the clocks differ',
  33: 'the ticket is not valid yet: the clocks differ',
  37: 'the clocks of this machine and the other differ too much for Kerberos',
  154: 'krb5.conf and DNS know no such realm',
  220: 'krb5.conf and DNS know no KDC of the realm',
};
/** KRB5_KDC_UNREACH */
const UNREACHABLE = 156;

export interface KerberosAsk {
  /** `user@REALM` */
  readonly principal: string;
  readonly password: string;
  /** `HTTP@host` */
  readonly service: string;
  /** what the login is bound to, as RFC 5929 has it; empty for nothing */
  readonly binding: Buffer;
  /** whether what follows is to be sealed */
  readonly seals: boolean;
}

interface Said {
  readonly token?: string;
  readonly done?: boolean;
  readonly signature?: string;
  readonly ciphertext?: string;
  readonly message?: string;
  readonly encrypted?: boolean;
  readonly absent?: boolean;
  readonly minor?: number;
  readonly words?: string;
}

/** One login by Kerberos (RFC 4559): a token for the service, then the check of its answer. */
export class KerberosLogin {
  readonly #child = spawn(PYTHON, ['-c', HELPER], { stdio: ['pipe', 'pipe', 'ignore'] });
  readonly #lines: AsyncIterator<string>;
  readonly #timer: NodeJS.Timeout;
  readonly #ask: KerberosAsk;
  readonly #signal: AbortSignal;

  /** @param signal aborted, it ends the login */
  constructor(ask: KerberosAsk, signal: AbortSignal) {
    this.#ask = ask;
    this.#signal = signal;
    // What goes wrong with the process shows as the end of its lines.
    this.#child.on('error', () => undefined);
    this.#child.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#timer = setTimeout(this.end, LOGIN_TIMEOUT_MS);
    signal.addEventListener('abort', this.end, { once: true });
  }

  /** @throws WmiLoginRefusedError, WmiAccessError, ConnectionLostError */
  async token(): Promise<Buffer> {
    const { binding, ...rest } = this.#ask;
    const { token } = await this.#step(JSON.stringify({ ...rest, binding: binding.toString('base64') }));
    if (token === undefined) throw new WmiAccessError('Kerberos gave no ticket');
    return Buffer.from(token, 'base64');
  }

  /** @param answer the service's token. @throws WmiAccessError where it does not prove that the service is who it says */
  async verify(answer: Buffer): Promise<void> {
    const { done } = await this.#step(answer.toString('base64'));
    if (done !== true) throw new WmiAccessError('the service does not prove who it is');
  }

  /** After {@link verify}, of a login that `seals`: the helper goes on, and seals until the end. */
  sealing(): Sealing {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.end);
    return {
      seal: async (message) => {
        const { signature, ciphertext } = await this.#convert({ message: message.toString('base64') });
        if (signature === undefined || ciphertext === undefined) throw new ConnectionLostError('Kerberos no longer seals: its helper has ended', false);
        return { signature: Buffer.from(signature, 'base64'), ciphertext: Buffer.from(ciphertext, 'base64') };
      },
      unseal: async ({ signature, ciphertext }) => {
        const { message, encrypted } = await this.#convert({ sealed: Buffer.concat([signature, ciphertext]).toString('base64') });
        if (message === undefined || encrypted !== true) throw new WmiAnswerError('the seal of an answer is broken');
        return Buffer.from(message, 'base64');
      },
      end: this.end,
    };
  }

  /** @returns nothing where the helper has refused or ended */
  async #convert(order: Readonly<Record<string, string>>): Promise<Said> {
    const timer = setTimeout(this.end, SEALING_TIMEOUT_MS);
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await this.#lines.next() as IteratorResult<string, undefined>;
    clearTimeout(timer);
    return done === true || value.length > LINE_LIMIT ? {} : JSON.parse(value) as Said;
  }

  /** To be called when all is done, however it went. */
  readonly end = (): void => {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.end);
    this.#child.kill('SIGKILL');
  };

  async #step(line: string): Promise<Said> {
    this.#child.stdin.write(`${line}\n`);
    const { value, done } = await this.#lines.next() as IteratorResult<string, undefined>;
    this.#signal.throwIfAborted();
    if (done === true || value.length > LINE_LIMIT) throw new WmiAccessError('Kerberos needs python3-gssapi: its helper did not run, or took too long');
    const said = JSON.parse(value) as Said;
    if (said.absent) throw new WmiAccessError('Kerberos needs python3-gssapi, which is not installed');
    if (said.minor !== undefined) throw explain(said.minor, said.words ?? '');
    return said;
  }
}

function explain(minor: number, words: string): Error {
  // An OM_uint32 of GSS-API; Kerberos' own numbers have a sign.
  const code = (minor | 0) - BASE;
  const refused = REFUSED[code];
  if (refused !== undefined) return new WmiLoginRefusedError(refused);
  if (code === UNREACHABLE) return new ConnectionLostError('no KDC of the realm can be reached', false);
  return new WmiAccessError(DENIED[code] ?? `Kerberos refuses: ${words.replace(/\s+/g, ' ').slice(0, 200)}`);
}
