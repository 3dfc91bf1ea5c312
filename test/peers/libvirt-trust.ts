import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from '../support/authority.js';
import type { LibvirtPeer, SshdPeer } from './libvirt.js';

/** How one libvirtd is let in at another: as whoever sets two hosts up for migration does it. */

/** Lets the root of one host log in at another, whose key it knows: for all programs of it that call ssh(1). @param known left out: that it does not know it */
export function trustBySsh(here: LibvirtPeer, { host, user, privateKeyFile, knownHostsFile }: SshdPeer, known = true): void {
  const lines = [`Host ${host}`, `User ${user}`, `IdentityFile ${privateKeyFile}`, `UserKnownHostsFile ${known ? knownHostsFile : '/dev/null'}`, 'StrictHostKeyChecking yes', 'BatchMode yes'];
  writeFileSync(here.file('host-etc/ssh/ssh_config.d/argo.conf'), lines.map((line) => `${line}\n`).join(''), { mode: 0o644 });
}

/** Has a libvirtd listen with TLS at an address, to those alone whose certificate the authority has signed. */
export async function listenByTls(there: LibvirtPeer, address: string, { folder }: Authority): Promise<void> {
  const file = (name: string): string => JSON.stringify(join(folder, name));
  await there.listen(['listen_tls = 1', 'listen_tcp = 0', `listen_addr = "${address}"`, `key_file = ${file('serverkey.pem')}`, `cert_file = ${file('servercert.pem')}`, `ca_file = ${file('cacert.pem')}`]);
}
