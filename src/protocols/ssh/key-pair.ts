/** A pair of keys as OpenSSH keeps them. */
export interface KeyPair {
  /** the text of the file */
  readonly privateKey: string;
  /** one line: type, key, comment */
  readonly publicKey: string;
}

/** Of some five hundred pairs that ssh2 makes, it cannot read one itself. */
const ATTEMPTS = 10;

/** A new pair of Ed25519. @param comment stands behind the public key, so that somebody who finds it knows whose it is */
export async function makeKeyPair(comment: string): Promise<KeyPair> {
  const { default: ssh2 } = await import('ssh2');
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (!(ssh2.utils.parseKey(privateKey) instanceof Error)) return { privateKey, publicKey: publicKey.trim() };
  }
  throw new Error('no pair of keys could be made');
}
