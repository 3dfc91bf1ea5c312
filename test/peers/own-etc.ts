import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where the tools that keep a host's network have their files. */
export const NETWORK_FOLDERS = ['network', 'netplan', 'NetworkManager'];

/** /etc/passwd in which root has a shell that reads no file: a .bashrc may take half a second for each command over SSH. */
export const quickRoot = (passwd: string): string => passwd.replace(/^(root:.*:)\/[^:]*$/m, '$1/bin/sh');

/** The machine's /etc/passwd with that. @param base a folder of an enclosure's scratch folder @returns what is bound over what */
export function ownPasswd(base: string): Record<string, string> {
  const copy = join(base, 'passwd');
  mkdirSync(base, { recursive: true, mode: 0o755 });
  writeFileSync(copy, quickRoot(readFileSync('/etc/passwd', 'utf8')), { mode: 0o644 });
  return { [copy]: '/etc/passwd' };
}

/**
 * Folders below /etc that an enclosure has for itself, so that nothing of the machine's own is read or written.
 * @param base a folder of its scratch folder
 * @param folders by their paths below /etc; one that the machine has not cannot be covered, and needs not be
 * @param files what is in them: `netplan/50-host.yaml`
 * @returns which folder is bound over which
 */
export function ownEtc(base: string, folders: readonly string[], files: Readonly<Record<string, string>> = {}): Record<string, string> {
  const covered = folders.filter((folder) => existsSync(join('/etc', folder)));
  for (const folder of covered) mkdirSync(join(base, folder), { recursive: true, mode: 0o755 });
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(base, file)), { recursive: true, mode: 0o755 });
    writeFileSync(join(base, file), content, { mode: 0o600 });
  }
  return Object.fromEntries(covered.map((folder) => [join(base, folder), join('/etc', folder)]));
}
