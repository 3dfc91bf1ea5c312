import { CfgError, parseCfg, type CfgValue } from './cfg.js';

/** One `vif` of a configuration. */
export interface Vif {
  readonly mac?: string;
  readonly ips: readonly string[];
  /** its interface's name in domain 0, where not vif<domid>.<n> */
  readonly ifname?: string;
}

/** One `disk` of a configuration. */
export interface DiskSpec {
  /** device name inside the guest */
  readonly vdev: string;
  /** path on the host; empty for a drive without a medium */
  readonly path: string;
  /** image format, where it is said */
  readonly format?: string;
  /** a script that attaches it, as for iSCSI or DRBD: then `path` is no path */
  readonly script?: string;
}

/** What a domain's configuration says of it, as far as it matters here. */
export interface Definition {
  readonly name: string;
  readonly uuid?: string;
  readonly vcpus: number;
  /** bytes */
  readonly memory?: bigint;
  /** pv, hvm or pvh */
  readonly type: string;
  readonly vifs: readonly Vif[];
  readonly disks: readonly DiskSpec[];
}

const MIB = 1024n * 1024n;

/**
 * Understands a configuration file.
 * @throws CfgError for what breaks the grammar, and for a file without a name
 */
export function parseDefinition(source: string): Definition {
  const settings = parseCfg(source);
  const name = textOf(settings.get('name'))?.trimEnd();
  if (!name) throw new CfgError(1, 'there is no `name = …`');
  const uuid = textOf(settings.get('uuid'));
  const memory = /^\d{1,9}$/.exec(textOf(settings.get('memory')) ?? '')?.[0];
  return {
    name,
    ...(uuid !== undefined && { uuid }),
    vcpus: Number(textOf(settings.get('vcpus')) ?? textOf(settings.get('maxvcpus')) ?? 1) || 1,
    ...(memory !== undefined && { memory: BigInt(memory) * MIB }),
    type: textOf(settings.get('type')) ?? (textOf(settings.get('builder')) === 'hvm' ? 'hvm' : 'pv'),
    vifs: listOf(settings.get('vif')).map(parseVif),
    disks: listOf(settings.get('disk')).map(parseDisk),
  };
}

function textOf(value: CfgValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function listOf(value: CfgValue | undefined): string[] {
  return typeof value === 'object' ? value.filter((item) => typeof item === 'string') : [];
}

/** xl-network-configuration(5): `mac=…,ip=…,bridge=…`; old files name several addresses with blanks between. */
export function parseVif(spec: string): Vif {
  const pairs = new Map(spec.split(',').map((part) => {
    const [key = '', ...rest] = part.split('=');
    return [key.trim(), rest.join('=').trim()] as const;
  }));
  const mac = pairs.get('mac')?.toLowerCase();
  const ifname = pairs.get('vifname');
  return {
    ...(mac && { mac }),
    ips: (pairs.get('ip') ?? '').split(/\s+/).filter((ip) => ip !== ''),
    ...(ifname && { ifname }),
  };
}

/** Prefixes of old disk specifications that say nothing of the format. */
const TRANSPORTS = /^(?:tapdisk|tap2?|aio|ioemu|file|phy):/;
const FORMATS = /^(raw|qcow2?|vhd):/;
const SCRIPTED = /^(iscsi|e?nbd|drbd):/;
const KEYS = new Set(['format', 'access', 'backend', 'backendtype', 'vdev', 'script', 'devtype']);

/**
 * xl-disk-configuration(5): `target,format,vdev,access` in this order, or as `key=value`, of which
 * `target=` takes the rest of the text; and the old `phy:/dev/x,xvda,w`, which has no format.
 */
export function parseDisk(spec: string): DiskSpec {
  const given = new Map<string, string>();
  const positional: string[] = [];
  let rest = spec.trim();
  const prefixed = (['format', 'script'] as const).some((key) => {
    const prefix = (key === 'format' ? FORMATS : SCRIPTED).exec(rest)?.[1];
    if (prefix) given.set(key, prefix);
    return prefix !== undefined;
  }) || TRANSPORTS.test(rest);
  while (TRANSPORTS.test(rest) || FORMATS.test(rest) || SCRIPTED.test(rest)) {
    const format = FORMATS.exec(rest)?.[1];
    if (format) given.set('format', format);
    rest = rest.slice(rest.indexOf(':') + 1);
  }
  while (rest !== '') {
    const target = /^\s*target=(.*)$/s.exec(rest)?.[1];
    if (target !== undefined) {
      given.set('target', target);
      break;
    }
    const comma = rest.indexOf(',');
    const part = (comma < 0 ? rest : rest.slice(0, comma)).trim();
    rest = comma < 0 ? '' : rest.slice(comma + 1);
    const [key = '', value] = part.split(/=(.*)/s);
    if (value !== undefined && KEYS.has(key)) given.set(key, value);
    else if (value === undefined && !/^(cdrom|discard|no-discard|direct-io-safe|colo|no-colo)$/.test(part)) positional.push(part);
  }
  return assembled(given, positional, prefixed);
}

function assembled(given: ReadonlyMap<string, string>, positional: string[], prefixed: boolean): DiskSpec {
  const path = given.get('target') ?? positional.shift() ?? '';
  // `,hdc:cdrom,r` names an empty drive: there the format is left out too.
  const second = prefixed || given.has('format') || (path === '' && /:(?:cdrom|disk)$/.test(positional[0] ?? '')) ? undefined : positional.shift();
  const format = given.get('format') ?? second;
  const vdev = (given.get('vdev') ?? positional.shift() ?? '').replace(/:(?:cdrom|disk)$/, '');
  const script = given.get('script');
  return { vdev, path, ...(format && { format }), ...(script && { script }) };
}
