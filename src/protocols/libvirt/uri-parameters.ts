/** What a connection URI says after its `?` (https://libvirt.org/uri.html#remote-uri-parameters), as far as it means something here. */
export interface UriParameters {
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
export function parseUriParameters(query: string, transport: 'unix' | 'ssh'): UriParameters {
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
