import type { Packet } from '../../../src/protocols/libvirt/packet.js';
import { XdrReader, XdrWriter } from '../../../src/protocols/libvirt/xdr.js';
import type { FakeLibvirtd } from '../../protocols/libvirt/fake.js';

const UUID = Buffer.alloc(16, 7);

/** A storage pool of a {@link FakeDaemon}: to be its override. */
export class FakePool {
  readonly volumes = new Map<string, string>();
  available = 1n << 40n;
  isActive = true;

  constructor(readonly name: string) {}

  add(name: string, size: number, more = ''): void {
    this.volumes.set(name, `<volume type='file'><name>${name}</name><key>/${this.name}/${name}</key><capacity unit='bytes'>${size}</capacity><allocation unit='bytes'>0</allocation>`
    + `<target><path>/${this.name}/${name}</path><format type='${name.endsWith('.qcow2') ? 'qcow2' : 'raw'}'/></target>${more}</volume>`);
  }

  /** @returns whether it was about the pool */
  answer(call: Packet, peer: FakeLibvirtd): boolean {
    switch (call.procedure) {
      case 281: peer.reply(call, new XdrWriter().int(1).string(this.name).fixed(UUID).int(1).bytes()); break;
      case 84: this.#lookUp(call, peer); break;
      case 83: peer.reply(call); break;
      case 87: peer.reply(call, new XdrWriter().int(this.isActive ? 2 : 0).hyper(0n).hyper(0n).hyper(this.available).bytes()); break;
      case 282: peer.reply(call, this.#list()); break;
      case 93: this.#create(call, peer); break;
      case 94:
      case 95:
      case 99: this.#forOne(call, peer); break;
      default: return false;
    }
    return true;
  }

  #lookUp(call: Packet, peer: FakeLibvirtd): void {
    if (new XdrReader(call.body).string() === this.name) peer.reply(call, new XdrWriter().string(this.name).fixed(UUID).bytes());
    else peer.fail(call, 49, 'Storage pool not found');
  }

  #list(): Buffer {
    const writer = new XdrWriter().int(this.volumes.size);
    for (const name of this.volumes.keys()) this.#write(writer, name);
    return writer.int(this.volumes.size).bytes();
  }

  #write(writer: XdrWriter, name: string): XdrWriter {
    return writer.string(this.name).string(name).string(`/${this.name}/${name}`);
  }

  #create(call: Packet, peer: FakeLibvirtd): void {
    const reader = new XdrReader(call.body);
    reader.string();
    reader.fixed(16);
    const xml = reader.string();
    const [, name = ''] = /<name>([^<]*)<\/name>/.exec(xml) ?? [];
    if (this.volumes.has(name)) return peer.fail(call, 90, `storage volume '${name}' exists already`);
    this.add(name, Number(/<capacity unit="bytes">(\d+)</.exec(xml)?.[1]));
    peer.reply(call, this.#write(new XdrWriter(), name).bytes());
  }

  #forOne(call: Packet, peer: FakeLibvirtd): void {
    const reader = new XdrReader(call.body);
    reader.string();
    if (call.procedure === 95) reader.fixed(16);
    const name = reader.string();
    const xml = this.volumes.get(name);
    if (xml === undefined) return peer.fail(call, 50, 'Storage volume not found');
    if (call.procedure === 94) this.volumes.delete(name);
    peer.reply(
      call,
      call.procedure === 99
        ? new XdrWriter().string(xml).bytes()
        : call.procedure === 95
          ? this.#write(new XdrWriter(), name).bytes()
          : Buffer.alloc(0),
    );
  }
}
