import { onAbort } from '../../kit/within.js';
import { HOST_KEY_ALGORITHMS } from './connection.js';
import { SshConnectionError } from './errors.js';

/**
 * The key that a host shows, as ssh-keyscan(1) reads it: the strongest that it has. It has proved that it has it; whose host it
 * is, it has not. Nobody logs in.
 * @param signal ends it; give it a deadline
 * @returns in SSH's own encoding
 * @throws SshConnectionError; the signal's reason
 */
export async function scanHostKey(host: string, port: number, signal: AbortSignal): Promise<Buffer> {
  const { default: ssh2 } = await import('ssh2');
  signal.throwIfAborted();
  const client = new ssh2.Client();
  let key: Buffer | undefined;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      const forget = onAbort(signal, reject);
      client.on('error', (error) => reject(new SshConnectionError(`${host} shows no key: ${error.message}`, { cause: error })));
      client.on('close', () => {
        forget();
        reject(new SshConnectionError(`${host} closed the connection before it had shown a key`));
      });
      // with the end of the exchange of keys its signature is checked
      client.on('handshake', () => { if (key !== undefined) resolve(key); });
      client.connect({
        host, port, username: 'argo', readyTimeout: 0, authHandler: [], algorithms: { serverHostKey: [...HOST_KEY_ALGORITHMS] },
        hostVerifier: (shown: Buffer): boolean => {
          key = Buffer.from(shown);
          return true;
        },
      });
    });
  } finally {
    client.destroy();
  }
}
