import { chmodSync, copyFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { fromRoot } from '../../support/paths.js';
import { HOSTS_PROGRAMS, HostsPeer, type HostPeer } from '../hosts.js';
import { answer } from './commands.js';
import type { EsxiModel } from './model.js';

/** Programs that a test with this peer needs; for `lacksRoot` of test/support/peers.ts. */
export const ESXI_PROGRAMS = [...HOSTS_PROGRAMS, 'nc', 'ssh'];

/** The shell of each host, inside of its folder. */
const SHELL = 'esxi-shell.sh';
/** ESXi's seconds of delay before it goes down are so many times shorter here. */
const HASTE = 10;
/** Bytes of a command line; none of ESXi's is so long. */
const MOST_COMMAND = 64 * 1024;

/** A simulated free ESXi with a network card, an sshd that we did not write, and a power switch. */
export interface EsxiHostPeer extends HostPeer {
  readonly model: EsxiModel;
}

/** Simulated ESXi hosts in a network of their own; they leave it when they go down, and come back on a magic packet. */
export interface EsxiPeer {
  readonly hosts: readonly EsxiHostPeer[];
  readonly network: HostsPeer;
  stop(): Promise<void>;
}

/** @throws Error where namespaces can't be made (not root, not Linux) */
export async function startEsxi(...models: EsxiModel[]): Promise<EsxiPeer> {
  const network = await HostsPeer.start({
    count: models.length,
    sshd: ['AuthenticationMethods publickey password', 'PermitTTY no', 'AllowTcpForwarding no', `ForceCommand sh /run/peers/h1/${SHELL}`],
  });
  const fronts: Front[] = [];
  const stop = async (): Promise<void> => {
    fronts.forEach((front) => front.close());
    await network.stop();
  };
  try {
    const hosts: EsxiHostPeer[] = [];
    for (const [i, model] of models.entries()) {
      const host = network.hosts[i]!;
      const folder = network.folderOf(host.name);
      copyFileSync(fromRoot('test', 'peers', 'esxi', 'shell.sh'), join(folder, SHELL));
      chmodSync(join(folder, SHELL), 0o755);
      const front = new Front(model);
      fronts.push(front);
      await front.listen(join(folder, 'esxi.sock'));
      model.onDown = (way, delay) => setTimeout(() => goDown(network, host.name, model, way), (delay * 1000) / HASTE).unref();
      hosts.push({ ...host, model });
    }
    return { hosts, network, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function goDown(network: HostsPeer, name: string, model: EsxiModel, way: 'poweroff' | 'reboot'): void {
  for (const vm of model.vms) if (vm.state === 'poweredOn') model.stopped(vm);
  model.booted = Date.now();
  void network.order(way === 'reboot' ? 'reboot' : 'off', name);
}

/** Gives a model's answers to the shells of its host. */
class Front {
  readonly #server: Server;
  readonly #shells = new Set<Socket>();
  readonly #model: EsxiModel;

  constructor(model: EsxiModel) {
    this.#model = model;
    this.#server = createServer({ allowHalfOpen: true }, (shell) => this.#serve(shell));
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        chmodSync(path, 0o777);
        resolve();
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#shells.forEach((shell) => shell.destroy());
  }

  #serve(shell: Socket): void {
    const gone = new AbortController();
    let command = '';
    this.#shells.add(shell);
    shell.setEncoding('utf8');
    shell.on('error', () => undefined);
    shell.on('close', () => {
      this.#shells.delete(shell);
      gone.abort();
    });
    shell.on('data', (text: string) => {
      command += text;
      if (command.length > MOST_COMMAND) shell.destroy();
    });
    shell.on('end', () => void this.#reply(shell, command.replace(/\n$/, ''), gone.signal));
  }

  async #reply(shell: Socket, command: string, signal: AbortSignal): Promise<void> {
    const { code, stdout, stderr, end = 'well' } = await answer(this.#model, command, signal);
    shell.end(`${code} ${Buffer.byteLength(stdout)} ${end}\n${stdout}${stderr}`);
  }
}
