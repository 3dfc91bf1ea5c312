import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseUriParameters, type UriParameters } from './uri-parameters.js';

/** A connection URI of libvirt (https://libvirt.org/uri.html), taken apart. */
export interface LibvirtUri {
  /** qemu, lxc, test, … */
  readonly scheme: string;
  readonly transport: 'unix' | 'ssh';
  /** as libvirtd itself is to open it: no transport, no host */
  readonly remoteName: string;
  /** over SSH only */
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  /** sockets on which a libvirtd for it may listen, the likeliest first */
  readonly sockets: readonly string[];
  /** over SSH: what the parameters say of keys */
  readonly keyFile?: string;
  readonly knownHostsFile?: string;
  readonly acceptsNewHosts?: boolean;
}

/** Daemons of a modular libvirt have sockets of their own: virtqemud-sock, virtlxcd-sock, … */
const MODULAR_DAEMONS: Readonly<Record<string, string>> = {
  qemu: 'virtqemud', lxc: 'virtlxcd', xen: 'virtxend', bhyve: 'virtbhyved', vbox: 'virtvboxd', ch: 'virtchd',
};

const TRANSPORTS: Readonly<Record<string, LibvirtUri['transport']>> = {
  unix: 'unix', ssh: 'ssh', libssh: 'ssh', libssh2: 'ssh',
};

/** The folder for system daemons; /var/run is a link to /run wherever libvirt runs. */
const SYSTEM_FOLDER = '/run/libvirt';

/**
 * Takes `qemu:///system`, `qemu+ssh://argo@host:22/system`, `lxc+unix:///system?socket=/path`, … apart.
 * @throws Error, with what is wrong in words for the person who wrote the URI
 */
export function parseLibvirtUri(text: string): LibvirtUri {
  const match = /^([a-z][a-z0-9]*)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(text);
  if (!match) throw new Error('not a libvirt URI; write qemu:///system or qemu+ssh://user@host/system');
  const authority = match[3]!;
  const path = match[4] ?? '/';
  const name = (match[2] ?? (authority ? 'tls' : 'unix')).toLowerCase();
  const transport = TRANSPORTS[name];
  if (!transport) throw new Error(`the transport ${name} is not supported; ssh and unix are`);
  if (transport === 'unix' && authority) throw new Error('a unix socket has no host; write qemu:///system');
  const parameters = parseUriParameters(match[5] ?? '', transport);
  const { scheme, remoteName } = parseRemoteName(parameters.name ?? `${match[1]}://${path}`);
  return {
    scheme,
    transport,
    remoteName,
    ...(transport === 'ssh' ? { ...parseAuthority(authority), ...keysOf(parameters) } : {}),
    sockets: parameters.native ? [] : socketsOf(parameters, scheme, transport, path),
  };
}

function parseRemoteName(name: string): { scheme: string; remoteName: string } {
  const match = /^([a-z][a-z0-9]*)(:\/\/\/[^?#]*)$/i.exec(name);
  if (!match) throw new Error(`name=${name} is not what a libvirtd opens; write qemu:///system`);
  const scheme = match[1]!.toLowerCase();
  return { scheme, remoteName: `${scheme}${match[2]}` };
}

const keysOf = ({ keyFile, knownHostsFile, acceptsNewHosts }: UriParameters): Pick<LibvirtUri, 'keyFile' | 'knownHostsFile' | 'acceptsNewHosts'> => ({
  ...(keyFile === undefined ? {} : { keyFile }),
  ...(knownHostsFile === undefined ? {} : { knownHostsFile }),
  ...(acceptsNewHosts ? { acceptsNewHosts } : {}),
});

function socketsOf({ socket, mode }: UriParameters, scheme: string, transport: LibvirtUri['transport'], path: string): string[] {
  if (socket !== undefined) return [socket];
  const sockets = defaultSockets(scheme, transport, path);
  if (mode === 'auto') return sockets;
  const chosen = sockets.filter((each) => each.endsWith('/libvirt-sock') === (mode === 'legacy'));
  if (sockets.length > 0 && chosen.length === 0) throw new Error(`mode=${mode}: ${scheme} has no daemon of its own`);
  return chosen;
}

function parseAuthority(authority: string): { host: string; port?: number; user?: string } {
  const match = /^(?:([^@]+)@)?(\[[0-9a-f:.]+\]|[^:[\]@]+)(?::(\d{1,5}))?$/i.exec(authority);
  if (!match) throw new Error('user@host or user@host:port is expected');
  const port = match[3] === undefined ? undefined : Number(match[3]);
  if (port !== undefined && (port < 1 || port > 65_535)) throw new Error(`${port} is not a port`);
  return {
    host: match[2]!.replace(/^\[|\]$/g, ''),
    ...(port === undefined ? {} : { port }),
    ...(match[1] === undefined ? {} : { user: decodeURIComponent(match[1]) }),
  };
}

/** A session daemon's socket lies where its user's runtime folder is, which we know for ourselves only. */
function defaultSockets(scheme: string, transport: LibvirtUri['transport'], path: string): string[] {
  const isSession = path === '/session';
  if (isSession && transport === 'ssh') return [];
  const runtime = process.env.XDG_RUNTIME_DIR ?? join(homedir(), '.cache');
  const folder = isSession ? join(runtime, 'libvirt') : SYSTEM_FOLDER;
  const modular = MODULAR_DAEMONS[scheme];
  return ['libvirt-sock', ...(modular ? [`${modular}-sock`] : [])].map((name) => join(folder, name));
}
