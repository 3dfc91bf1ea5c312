import type { X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import type { TlsFiles } from '../../../config/config.js';
import type { Log } from '../../../kit/log.js';
import { VMSERVERD_CERTIFICATE_DAYS } from '../../../kit/vmserverd-limits.js';
import type { Change } from '../../../listening/change.js';
import type { TlsDoor } from '../../../listening/tls-door.js';
import type { VmserverdOptions } from '../options.js';
import { fault } from '../faults.js';
import { certificateIn, OwnCertificate } from './own-certificate.js';
import type { MadeCertificate, Security, SecurityState } from './security.js';

/**
 * With TLS 1.3 hydra hangs on half of its attempts: after the handshake it waits for the socket, which the server's session
 * tickets make readable, and then for a line that does not come. Node cannot leave the tickets out.
 */
const VERSIONS = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;

export interface TlsParts {
  /** of the gateway's own, in the state folder */
  readonly folder: string;
  readonly log: Log;
  /** where it listens now, without and with TLS */
  places(): { readonly listen: readonly string[]; readonly tlsListen: readonly string[] };
}

const fingerprintOf = ({ fingerprint256 }: X509Certificate): string => fingerprint256;

/** A name that can be written on openssl's command line and into a certificate. */
const nameOfHost = (): string => (/^(?=.{1,64}$)[A-Za-z\d](?:[A-Za-z\d.-]*[A-Za-z\d])?$/.test(hostname()) ? hostname() : 'argo-server');

/** TLS behind the banner: the table's certificate, or one of the gateway's own, which it makes when it first needs one. */
export class Tls implements Security {
  readonly #parts: TlsParts;
  readonly #own: OwnCertificate;
  #door: TlsDoor | undefined;
  /** whether the table names files */
  #isConfigured = false;
  /** where those in force were read */
  #files: TlsFiles | undefined;
  #certificate: X509Certificate | undefined;

  constructor(parts: TlsParts) {
    this.#parts = parts;
    this.#own = new OwnCertificate(parts.folder);
  }

  /** undefined where TLS is spoken nowhere */
  get door(): TlsDoor | undefined {
    return this.#door;
  }

  /** @throws Error where the files cannot be used, or none can be made */
  async prepare(given: VmserverdOptions): Promise<Change> {
    if (given['tls-listen'].length === 0) {
      return { commit: () => this.#adopt(undefined, undefined, given), cancel: () => Promise.resolve() };
    }
    const { 'tls-cert': cert, 'tls-key': key, 'tls-client-ca': clientCa } = given;
    if (cert === undefined) await this.#requireOwn();
    const files: TlsFiles = cert === undefined || key === undefined ? { cert: this.#own.file, key: this.#own.file, clientCa } : { cert, key, clientCa };
    const { TlsDoor } = await import('../../../listening/tls-door.js');
    // one that asks for certificates is another door: who stands in the old one is still let through it
    const door = new TlsDoor(files, VERSIONS);
    const certificate = certificateIn(files.cert);
    return { commit: () => this.#adopt(door, { files, certificate }, given), cancel: () => Promise.resolve(door.close()) };
  }

  describe(): SecurityState {
    const { listen, tlsListen } = this.#parts.places();
    const certificate = this.#certificate;
    return {
      ssl: tlsListen.length > 0,
      tlsMin: certificate && VERSIONS.minVersion,
      tlsMax: certificate && VERSIONS.maxVersion,
      listen,
      tlsListen,
      certificateFrom: certificate && (this.#isConfigured ? 'configuration' : 'own'),
      certSubject: certificate?.subject.replaceAll('\n', ', '),
      certNotAfter: certificate && Math.floor(Date.parse(certificate.validTo) / 1000),
      certFingerprint: certificate && fingerprintOf(certificate),
      staged: this.#own.hasStaged,
    };
  }

  async create(name: string, days: number): Promise<MadeCertificate> {
    this.#requireNoFiles();
    const made = await this.#own.create(name, days);
    this.#parts.log('info', 'certificate made, which waits to be put into force', { subject: name, fingerprint: fingerprintOf(made) });
    return { certificate: made.toString(), fingerprint: fingerprintOf(made) };
  }

  async activate(): Promise<void> {
    this.#requireNoFiles();
    if (this.#door === undefined) throw fault('NOT_SUPPORTED', 'TLS is spoken nowhere here: tls-listen says where, in the configuration');
    this.#own.activate();
    const { readTls } = await import('../../../listening/tls-door.js');
    this.#door.renew(readTls(this.#files!));
    this.#certificate = certificateIn(this.#own.file);
    this.#parts.log('info', 'certificate put into force', { fingerprint: fingerprintOf(this.#certificate) });
  }

  close(): void {
    this.#door?.close();
  }

  async #requireOwn(): Promise<void> {
    if (this.#own.hasActive) return;
    const name = nameOfHost();
    const made = await this.#own.create(name, VMSERVERD_CERTIFICATE_DAYS);
    this.#own.activate();
    this.#parts.log('info', 'certificate made, since the table names none', { subject: name, fingerprint: fingerprintOf(made) });
  }

  #adopt(door: TlsDoor | undefined, found: { readonly files: TlsFiles; readonly certificate: X509Certificate } | undefined, given: VmserverdOptions): void {
    this.#door = door;
    this.#isConfigured = given['tls-cert'] !== undefined;
    this.#files = found?.files;
    this.#certificate = found?.certificate;
  }

  #requireNoFiles(): void {
    if (this.#isConfigured) throw fault('NOT_SUPPORTED', 'the certificate is one of the configuration (tls-cert): it is changed there');
  }
}
