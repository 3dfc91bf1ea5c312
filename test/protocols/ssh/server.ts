import { connect, type AddressInfo } from 'node:net';
import ssh2, { type AuthContext, type Connection, type ServerChannel } from 'ssh2';
import type { Test } from 'tap';
import type { SshOptions } from '../../../src/protocols/ssh/connection.js';
import { fingerprintOf } from '../../../src/protocols/ssh/host-keys.js';

// One in some hundred of ssh2's ed25519 keys cannot be read by itself.
const hostKey = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });

/** An SSH server of another's making (ssh2's own), in this process. */
export interface Server {
  readonly port: number;
  /** those that are or were open */
  readonly connections: Connection[];
  /** the commands it was given */
  readonly commands: string[];
  /** the keyboard-interactive answers it got */
  readonly answers: string[][];
  options(more?: Partial<SshOptions>): SshOptions;
  /** sessions that were refused, since there were enough */
  turnedAway(): number;
  /** ends all connections, as a host does that goes away */
  cut(): void;
}

export interface Behaviour {
  /** by command; what is not named is refused */
  readonly commands?: Readonly<Record<string, (channel: ServerChannel, connection: Connection) => void>>;
  /** sessions at a time on a connection, as MaxSessions of sshd */
  readonly maxSessions?: number;
  authenticate?(attempt: AuthContext, answers: string[][]): void;
}

/** Ends a command as a program does. */
export function exit(channel: ServerChannel, code: number, output = '', error = ''): void {
  if (output) channel.write(output);
  if (error) channel.stderr.write(error);
  channel.exit(code);
  channel.end();
}

export async function serve(t: Test, { commands = {}, maxSessions = Infinity, authenticate = (attempt) => attempt.accept() }: Behaviour): Promise<Server> {
  const connections: Connection[] = [];
  const given: string[] = [];
  const answers: string[][] = [];
  let turnedAway = 0;
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (connection) => {
    connections.push(connection);
    connection.on('error', () => undefined);
    connection.on('authentication', (attempt) => authenticate(attempt, answers));
    connection.on('tcpip', (accept, _reject, { destIP, destPort }) => {
      const stream = accept();
      const socket = connect(destPort, destIP);
      socket.on('error', () => stream.close());
      stream.on('close', () => socket.destroy());
      stream.pipe(socket).pipe(stream);
    });
    let sessions = 0;
    connection.on('session', (accept, refuse) => {
      if (sessions >= maxSessions) {
        turnedAway += 1;
        return refuse();
      }
      sessions += 1;
      return accept().on('exec', (acceptExec, reject, { command }) => {
        given.push(command);
        const run = commands[command];
        if (!run) return reject();
        const channel = acceptExec();
        channel.on('finish', () => { sessions -= 1; });
        return run(channel, connection);
      });
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const cut = (): void => connections.forEach((connection) => connection.end());
  t.teardown(() => {
    cut();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const fingerprint = fingerprintOf(Buffer.from(hostKey.public.split(' ')[1]!, 'base64'));
  return {
    port, connections, commands: given, answers, cut, turnedAway: () => turnedAway,
    options: (more = {}) => ({ host: '127.0.0.1', port, user: 'argo', password: 'right', hostKey: { fingerprint }, ...more }),
  };
}
