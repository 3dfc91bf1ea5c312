/** A pair of keys as OpenSSH keeps them. */
export interface KeyPair {
  /** the text of the file */
  readonly privateKey: string;
  /** one line: type, key, comment */
  readonly publicKey: string;
}

/** A new pair of Ed25519. @param comment stands behind the public key, so that somebody who finds it knows whose it is */
export async function makeKeyPair(comment: string): Promise<KeyPair> {
  const { default: ssh2 } = await import('ssh2');
  const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ed25519', { comment });
  return { privateKey, publicKey: publicKey.trim() };
}
