import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { ArgoError } from '../../../kit/errors.js';
import { makeFolder } from '../../../kit/folders.js';
import { CONFIG_FILE_SIZE } from '../../../kit/limits.js';
import { bareEnvironment } from '../../../kit/programs.js';
import { readRegularFile } from '../../../kit/regular-file.js';
import { VMSERVERD_KEY_TIME } from '../../../kit/vmserverd-limits.js';

/**
 * The gateway's own key with its certificate, where its table names none: two files of the state folder, for this user alone.
 * Key and certificate are in one file, so that one can never be in force without the other.
 */

const BITS = 2048;
const OWN_MODE = 0o600;

export class OwnCertificate {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** the file of the one in force */
  get file(): string {
    return join(this.#folder, 'active.pem');
  }

  get hasActive(): boolean {
    return existsSync(this.file);
  }

  get hasStaged(): boolean {
    return existsSync(this.#staged);
  }

  /** Makes one that waits, in place of another that waits. @param name a name or an address that fits on a command line @throws ArgoError NOT SUPPORTED without openssl, FAILED */
  async create(name: string, days: number): Promise<X509Certificate> {
    makeFolder(this.#folder);
    const scratch = mkdtempSync(join(this.#folder, 'new-'));
    try {
      const [key, certificate] = [join(scratch, 'key'), join(scratch, 'certificate')];
      await openssl([
        'req',
        '-x509',
        '-newkey',
        `rsa:${BITS}`,
        '-nodes',
        '-sha256',
        '-batch',
        '-keyout',
        key,
        '-out',
        certificate,
        '-days',
        String(days),
        '-subj',
        `/CN=${name}`,
        '-addext',
        `subjectAltName=${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`,
      ]);
      const text = readFileSync(certificate, 'utf8');
      const both = join(scratch, 'both');
      writeFileSync(both, `${readFileSync(key, 'utf8')}${text}`, { mode: OWN_MODE, flush: true });
      chmodSync(both, OWN_MODE);
      const made = new X509Certificate(text);
      renameSync(both, this.#staged);
      return made;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }

  /** Puts the one that waits into force. @throws ArgoError WRONG STATE where none waits */
  activate(): void {
    if (!this.hasStaged) throw new ArgoError('WRONG STATE', 'no certificate waits: make one first');
    renameSync(this.#staged, this.file);
  }

  get #staged(): string {
    return join(this.#folder, 'staged.pem');
  }
}

/** The first certificate in a file. @throws Error */
export const certificateIn = (file: string): X509Certificate => new X509Certificate(readRegularFile(file, CONFIG_FILE_SIZE));

/** @throws ArgoError */
function openssl(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('openssl', args, { timeout: VMSERVERD_KEY_TIME, killSignal: 'SIGKILL', cwd: '/', env: bareEnvironment(), maxBuffer: CONFIG_FILE_SIZE }, (error) => {
      if (error === null) resolve();
      else if (error.code === 'ENOENT' as unknown) reject(new ArgoError('NOT SUPPORTED', 'openssl is not installed: a certificate cannot be made'));
      else reject(new ArgoError('FAILED', 'openssl could not make a certificate', { cause: error }));
    });
  });
}
