/** How connections are secured, as the operations Security_* see it. */

export interface SecurityState {
  /** whether there is a place where TLS is spoken */
  readonly ssl: boolean;
  readonly tlsMin: string | undefined;
  readonly tlsMax: string | undefined;
  /** where the server listens without and with TLS */
  readonly listen: readonly string[];
  readonly tlsListen: readonly string[];
  /** `configuration`: files that the table names; `own`: made here */
  readonly certificateFrom: 'configuration' | 'own' | undefined;
  readonly certSubject: string | undefined;
  /** seconds since 1970 */
  readonly certNotAfter: number | undefined;
  /** SHA-256 */
  readonly certFingerprint: string | undefined;
  /** whether a new certificate waits to be put into force */
  readonly staged: boolean;
}

/** A certificate as it may be shown to everybody. */
export interface MadeCertificate {
  /** PEM */
  readonly certificate: string;
  /** SHA-256 */
  readonly fingerprint: string;
}

export interface Security {
  describe(): SecurityState;
  /** Makes a new key with a certificate, which waits until it is put into force. @throws OperationError */
  create(name: string, days: number): Promise<MadeCertificate>;
  /** Puts the one that waits into force, for new connections. @throws OperationError where none waits, or the table names files */
  activate(): Promise<void>;
}
