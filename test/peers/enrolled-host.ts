import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ssh2, { type Connection } from 'ssh2';
import type { Test } from 'tap';
import { makeKeyPair } from '../../src/protocols/ssh/key-pair.js';

/**
 * A host as enrolment meets it, with an sshd that is ssh2's: it lets in who has the password or a key that was installed, and knows
 * the three things that are asked of it. Its own commands are carried out by real shells in test/e2e/enrolment.test.ts.
 */
export class EnrolledHost {
  /** commands are carried out and never answered */
  hangs = false;
  /** the blobs of the keys that were installed, as base64 */
  readonly keys = new Set<string>();
  readonly #connections = new Set<Connection>();
  #server!: InstanceType<typeof ssh2.Server>;
  #key!: string;

  static async start(t: Test, password = 'sesame'): Promise<EnrolledHost> {
    const host = new EnrolledHost();
    await host.#listen(password);
    t.teardown(() => host.stop());
    return host;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Its own key, as records have it. */
  get key(): string {
    const parsed = ssh2.utils.parseKey(this.#key);
    if (parsed instanceof Error) throw parsed;
    return parsed.getPublicSSH().toString('base64');
  }

  stop(): void {
    for (const connection of this.#connections) connection.end();
    this.#server.close();
  }

  async #listen(password: string): Promise<void> {
    this.#key = (await makeKeyPair('host')).privateKey;
    this.#server = new ssh2.Server({ hostKeys: [this.#key] }, (connection) => this.#serve(connection, password));
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  #serve(connection: Connection, password: string): void {
    this.#connections.add(connection);
    connection.on('error', () => undefined).on('close', () => this.#connections.delete(connection));
    connection.on('authentication', (context) => {
      const isKnown = context.method === 'publickey' && this.keys.has(context.key.data.toString('base64'));
      if (isKnown || (context.method === 'password' && context.password === password)) context.accept();
      else context.reject(['publickey', 'password']);
    });
    connection.on('session', (accept) => {
      accept().on('exec', (take, _reject, { command }) => {
        const channel = take();
        let stdin = '';
        channel.on('error', () => undefined);
        channel.setEncoding('utf8').on('data', (text: string) => { stdin += text; }).on('end', () => {
          const code = this.#run(command, stdin.split(' ')[1] ?? '');
          if (this.hangs) return;
          channel.exit(code);
          channel.end();
        });
      });
    });
  }

  #run(command: string, blob: string): number {
    if (command.includes('opennode-release')) return 0;
    if (!command.includes('authorized_keys') || blob === '') return 127;
    if (command.includes('touch .ssh/authorized_keys')) this.keys.add(blob);
    else this.keys.delete(blob);
    return 0;
  }
}
