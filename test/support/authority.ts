import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from './programs.js';

/** What was signed: paths of its files. */
export interface Signed {
  readonly cert: string;
  readonly key: string;
}

const NEW_KEYS = { ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], rsa: ['-newkey', 'rsa:2048'] };
const PLAIN = ['-nodes', '-utf8'];
const VALID = ['-days', '2'];

async function openssl(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram('openssl', args);
  if (code !== 0) throw new Error(`openssl ${args.join(' ')} failed with ${code}: ${stderr}`);
}

/** An authority of a test's own in a folder, with what it signs, by the names that libvirt looks for (https://libvirt.org/kbase/tlscerts.html). */
export class Authority {
  readonly #newKey: readonly string[];

  private constructor(readonly folder: string, keys: keyof typeof NEW_KEYS) {
    this.#newKey = [...NEW_KEYS[keys], ...PLAIN];
  }

  /** @param subject as openssl takes it @param keys of what kind all are */
  static async make(folder: string, subject = '/CN=argo test authority', keys: keyof typeof NEW_KEYS = 'ec'): Promise<Authority> {
    mkdirSync(folder, { recursive: true });
    const authority = new Authority(folder, keys);
    await openssl('req', '-x509', ...authority.#newKey, ...VALID, '-subj', subject, '-keyout', authority.#key, '-out', authority.cert);
    return authority;
  }

  /** The path of its own certificate. */
  get cert(): string {
    return join(this.folder, 'cacert.pem');
  }

  get #key(): string {
    return join(this.folder, 'cakey.pem');
  }

  /**
   * @param name of the files: `client` for `clientcert.pem`
   * @param extension of X.509, such as the addresses of a server @param subject as openssl takes it
   */
  async sign(name: string, extension = '', subject = `/CN=${name}`): Promise<Signed> {
    const file = (end: string): string => join(this.folder, `${name}${end}`);
    const [cert, key] = [file('cert.pem'), file('key.pem')];
    writeFileSync(file('.ext'), `${extension}\n`);
    await openssl('req', ...this.#newKey, '-subj', subject, '-keyout', key, '-out', file('.csr'));
    // a number of its own: that in a file would be shared by two that are signed at a time
    await openssl('x509', '-req', '-in', file('.csr'), '-CA', this.cert, '-CAkey', this.#key, '-set_serial', `0x${randomBytes(8).toString('hex')}`, ...VALID, '-extfile', file('.ext'), '-out', cert);
    return { cert, key };
  }
}
