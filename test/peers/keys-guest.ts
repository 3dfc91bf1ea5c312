import { rmSync } from 'node:fs';
import { fromRoot } from '../support/paths.js';
import { must } from './enclosure.js';
import type { LibvirtPeer } from './libvirt.js';

/** Defines, without starting it, a guest that shows on its screen and its serial console what is typed into either. */
export async function defineKeys(peer: LibvirtPeer, name: string): Promise<void> {
  const [image, object] = [peer.file('keys.img'), peer.file('keys.o')];
  await must('as', ['--32', '-o', object, fromRoot('test', 'peers', 'guests', 'keys.s')]);
  await must('ld', ['-m', 'elf_i386', '-Ttext=0x7c00', '--oformat=binary', '-o', image, object]);
  rmSync(object);
  const screen = `<graphics type='vnc'><listen type='socket' socket='${peer.file(`${name}.sock`)}'/></graphics><video><model type='vga'/></video>`;
  await peer.defineChanged(name, (xml) => xml
    .replace(/(<driver name='qemu' type='raw'\/><source file=')[^']+/, `$1${image}`)
    .replace(/<serial type='file'><source path='([^']+)'\/><\/serial>/, "<serial type='pty'><log file='$1' append='off'/></serial>")
    .replace('</devices>', `${screen}</devices>`));
}
