import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from './enclosure.js';
import type { LibvirtPeer, SshdPeer } from './libvirt.js';

/** How one libvirtd is let in at another: as whoever sets two hosts up for migration does it. */

/** Lets the root of one host log in at another, whose key it knows: for all programs of it that call ssh(1). @param known left out: that it does not know it */
export function trustBySsh(here: LibvirtPeer, { host, user, privateKeyFile, knownHostsFile }: SshdPeer, known = true): void {
  const lines = [`Host ${host}`, `User ${user}`, `IdentityFile ${privateKeyFile}`, `UserKnownHostsFile ${known ? knownHostsFile : '/dev/null'}`, 'StrictHostKeyChecking yes', 'BatchMode yes'];
  writeFileSync(here.file('host-etc/ssh/ssh_config.d/argo.conf'), lines.map((line) => `${line}\n`).join(''), { mode: 0o644 });
}

/** Makes an authority in a folder, with keys that it signs: as libvirt has them (https://libvirt.org/kbase/tlscerts.html). */
export class Authority {
  private constructor(readonly folder: string) {}

  static async make(folder: string): Promise<Authority> {
    mkdirSync(folder, { recursive: true });
    await must('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=argo test authority',
      '-keyout', join(folder, 'cakey.pem'), '-out', join(folder, 'cacert.pem')]);
    return new Authority(folder);
  }

  /** @param name of the files: `client` for `clientcert.pem` @param extension of X.509, such as the addresses of a server */
  async sign(name: 'client' | 'server', extension: string): Promise<void> {
    const file = (end: string): string => join(this.folder, `${name}${end}`);
    writeFileSync(file('.ext'), `${extension}\n`);
    await must('openssl', ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`, '-keyout', file('key.pem'), '-out', file('.csr')]);
    // a number of its own: that in a file would be shared by two that are signed at a time
    await must('openssl', ['x509', '-req', '-in', file('.csr'), '-CA', join(this.folder, 'cacert.pem'), '-CAkey', join(this.folder, 'cakey.pem'), '-set_serial', `0x${randomBytes(8).toString('hex')}`, '-days', '2', '-extfile', file('.ext'), '-out', file('cert.pem')]);
  }
}

/** Has a libvirtd listen with TLS at an address, to those alone whose certificate the authority has signed. */
export async function listenByTls(there: LibvirtPeer, address: string, { folder }: Authority): Promise<void> {
  const file = (name: string): string => JSON.stringify(join(folder, name));
  await there.listen(['listen_tls = 1', 'listen_tcp = 0', `listen_addr = "${address}"`, `key_file = ${file('serverkey.pem')}`, `cert_file = ${file('servercert.pem')}`, `ca_file = ${file('cacert.pem')}`]);
}
