import { join } from 'node:path';
import { ownFolder } from '../../kit/own-folders.js';

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
  if (!transport) throw new Error(`the transport ${name} is not supported; ssh and unix are, such as qemu:///system for this host and qemu+ssh://user@host/system for another one`);
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
  const runtime = ownFolder(process.env, 'XDG_RUNTIME_DIR', '.cache');
  const folder = isSession ? join(runtime, 'libvirt') : SYSTEM_FOLDER;
  const modular = MODULAR_DAEMONS[scheme];
  return ['libvirt-sock', ...(modular ? [`${modular}-sock`] : [])].map((name) => join(folder, name));
}

/** What a connection URI says after its `?` (https://libvirt.org/uri.html#remote-uri-parameters), as far as it means something here. */
interface UriParameters {
  readonly socket?: string;
  /** the URI that libvirtd itself is to open */
  readonly name?: string;
  /** which of libvirt's daemons: the one for all, or the hypervisor's own */
  readonly mode: 'auto' | 'direct' | 'legacy';
  /** the private key for SSH */
  readonly keyFile?: string;
  readonly knownHostsFile?: string;
  /** takes the key of a host that is not known yet */
  readonly acceptsNewHosts: boolean;
  /** over SSH by virt-ssh-helper alone */
  readonly native: boolean;
}

/** For which transports each is, and what it may say; none: any text. */
const KNOWN: Readonly<Record<string, { readonly ssh?: true; readonly values?: readonly string[] }>> = {
  socket: {},
  name: {},
  mode: { values: ['auto', 'direct', 'legacy'] },
  keyfile: { ssh: true },
  known_hosts: { ssh: true },
  known_hosts_verify: { ssh: true, values: ['normal', 'auto'] },
  proxy: { ssh: true, values: ['auto', 'native'] },
  // Nobody is asked for anything here.
  no_tty: { ssh: true },
  no_verify: { ssh: true, values: ['0'] },
};

/** What to do instead, for those whose wish is not granted. */
const INSTEAD: Readonly<Record<string, string>> = {
  no_verify: 'pin the host with host-key, or take new ones with accept-new-host-keys',
  known_hosts_verify: 'pin the host with host-key, or take new ones with accept-new-host-keys',
  sshauth: 'use private-key-file, password-file or an agent',
  command: 'SSH is spoken without a program',
  netcat: 'the socket is forwarded, or virt-ssh-helper is used',
};

/**
 * @param query what is after the `?`
 * @throws Error, with the parameter that would not be honoured
 */
function parseUriParameters(query: string, transport: 'unix' | 'ssh'): UriParameters {
  const given = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    if (given.has(key)) throw new Error(`the parameter ${key} is there twice`);
    check(key, value, transport);
    given.set(key, value);
  }
  const text = <K extends string>(field: K, key: string): { [key in K]?: string } => {
    const value = given.get(key);
    return (value === undefined ? {} : { [field]: value }) as { [key in K]?: string };
  };
  return {
    ...text('socket', 'socket'),
    ...text('name', 'name'),
    ...text('keyFile', 'keyfile'),
    ...text('knownHostsFile', 'known_hosts'),
    mode: (given.get('mode') ?? 'auto') as UriParameters['mode'],
    acceptsNewHosts: given.get('known_hosts_verify') === 'auto',
    native: given.get('proxy') === 'native',
  };
}

function check(key: string, value: string, transport: 'unix' | 'ssh'): void {
  const hint = INSTEAD[key] === undefined ? '' : `; ${INSTEAD[key]}`;
  const known = Object.hasOwn(KNOWN, key) ? KNOWN[key] : undefined;
  if (!known) throw new Error(`the parameter ${key} is not supported${hint}`);
  if (known.ssh && transport !== 'ssh') throw new Error(`the parameter ${key} is for SSH`);
  if (value === '') throw new Error(`the parameter ${key} is empty`);
  if (known.values && !known.values.includes(value)) throw new Error(`${key}=${value} is not supported${hint}`);
}
