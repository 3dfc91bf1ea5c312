import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Packet } from '../../../src/protocols/libvirt/packet.js';
import { readDomain, writeDomain, type Domain } from '../../../src/protocols/libvirt/types.js';
import { XdrReader, XdrWriter } from '../../../src/protocols/libvirt/xdr.js';
import { FakeLibvirtd } from '../../protocols/libvirt/fake.js';

export interface FakeDomain extends Domain {
  state: number;
  reason: number;
  saved: boolean;
  persistent: boolean;
  autostart: boolean;
}

export function fakeDomain(name: string, number: number, state = 5): FakeDomain {
  const uuid = Buffer.alloc(16);
  uuid.writeUInt32BE(number, 12);
  return { name, uuid, id: state === 5 ? -1 : number, state, reason: 0, saved: false, persistent: true, autostart: false };
}

/** What a test does with a call instead of the usual; true: it has been dealt with. */
type Override = (call: Packet, peer: FakeLibvirtd) => boolean;

/** A libvirtd with a few domains and no hypervisor, on a socket of its own. */
export class FakeDaemon {
  readonly folder = mkdtempSync(join(tmpdir(), 'argo-fake-libvirtd-'));
  readonly socket = join(this.folder, 'sock');
  readonly peers: FakeLibvirtd[] = [];
  domains: FakeDomain[] = [];
  /** what is being done with every domain: a virDomainJobOperation */
  operation = 0;
  /** disks with an error, each without space left */
  diskFaults: string[] = [];
  override: Override = () => false;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();

  async start(): Promise<void> {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      this.peers.push(new FakeLibvirtd(socket, (call, peer) => this.#answer(call, peer)));
    });
    await new Promise<void>((resolve) => { this.#server!.listen(this.socket, resolve); });
  }

  /** As if it had been killed. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise<void>((resolve) => { server.close(() => resolve()); });
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  tellLifecycle(domain: Domain, event: number, detail = 0): void {
    this.#listener.event(318, writeDomain(new XdrWriter().int(0), domain).int(event).int(detail).bytes());
  }

  tellReboot(domain: Domain): void {
    this.#listener.event(319, writeDomain(new XdrWriter().int(1), domain).bytes());
  }

  /** The connection that has asked for events last. */
  get #listener(): FakeLibvirtd {
    return this.peers.findLast((peer) => peer.calls.some((call) => call.procedure === 316))!;
  }

  /** How often a procedure was called, over all connections. */
  count(procedure: number): number {
    return this.peers.flatMap((peer) => peer.calls).filter((call) => call.procedure === procedure).length;
  }

  #answer(call: Packet, peer: FakeLibvirtd): void {
    if (this.override(call, peer)) return;
    const list = (chosen: readonly FakeDomain[]): Buffer => {
      const writer = new XdrWriter().int(chosen.length);
      chosen.forEach((domain) => writeDomain(writer, domain));
      return writer.int(chosen.length).bytes();
    };
    switch (call.procedure) {
      case 66: return peer.reply(call, new XdrWriter().int(1).int(0).bytes());
      case 60: return peer.reply(call, new XdrWriter().int(1).bytes());
      case 273: return peer.reply(call, list(call.body.readInt32BE(4) === 0 ? this.domains : this.domains.filter(({ saved }) => saved)));
      case 59: return peer.reply(call, new XdrWriter().string('host').bytes());
      case 316: return peer.reply(call, new XdrWriter().int(0).bytes());
      case 344: return peer.reply(call, this.#stats());
      case 1:
      case 2: return peer.reply(call);
      default: return this.#answerForOne(call, peer);
    }
  }

  #diskFaults(): Buffer {
    const writer = new XdrWriter().int(this.diskFaults.length);
    for (const disk of this.diskFaults) writer.string(disk).int(2);
    return writer.int(this.diskFaults.length).bytes();
  }

  #job(): Buffer {
    if (this.operation === 0) return new XdrWriter().int(0).int(0).bytes();
    return new XdrWriter().int(2).int(1).string('operation').int(1).int(this.operation).bytes();
  }

  #stats(): Buffer {
    const writer = new XdrWriter().int(this.domains.length);
    for (const domain of this.domains) {
      writeDomain(writer, domain).int(2).string('state.state').int(1).int(domain.state).string('state.reason').int(1).int(domain.reason);
    }
    return writer.bytes();
  }

  #answerForOne(call: Packet, peer: FakeLibvirtd): void {
    const uuid = call.procedure === 24 ? call.body : readDomain(new XdrReader(call.body)).uuid;
    const domain = this.domains.find((candidate) => candidate.uuid.equals(uuid));
    if (!domain) return peer.fail(call, 42, 'Domain not found');
    switch (call.procedure) {
      case 15: return peer.reply(call, new XdrWriter().int(domain.autostart ? 1 : 0).bytes());
      case 16: return peer.reply(call, Buffer.alloc(32));
      case 14: return peer.reply(call, new XdrWriter().string('<domain/>').bytes());
      case 29:
        domain.autostart = call.body.readInt32BE(call.body.length - 4) !== 0;
        return peer.reply(call);
      case 151: return peer.reply(call, new XdrWriter().int(domain.persistent ? 1 : 0).bytes());
      case 353: return peer.reply(call, new XdrWriter().int(0).bytes());
      case 24: return peer.reply(call, writeDomain(new XdrWriter(), domain).bytes());
      case 229: return peer.reply(call, new XdrWriter().int(0).int(0).int(0).int(0).bytes());
      case 263: return peer.reply(call, this.#diskFaults());
      case 298: return peer.reply(call, this.#job());
      case 183: return peer.reply(call, new XdrWriter().int(domain.saved ? 1 : 0).bytes());
      case 212: return peer.reply(call, new XdrWriter().int(domain.state).int(domain.reason).bytes());
      default: return peer.reply(call);
    }
  }
}
