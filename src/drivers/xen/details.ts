import type { DiskSpec, Vif } from './definition.js';

/** What `xl list -l DOMID` knows of a running domain. */
export interface Details {
  readonly type?: string;
  readonly vifs: readonly Vif[];
  readonly disks: readonly DiskSpec[];
}

/**
 * Reads the JSON of `xl list -l`. Fields that are not as expected are left out: xl prints libxl's
 * internal structure, which grows with each version.
 * @returns undefined when the domain is not in it: xl skips, without a word, what it cannot read
 */
export function parseDetails(text: string, domid: number): Details | undefined {
  const parsed = jsonOf(text);
  const domains = Array.isArray(parsed) ? parsed : [parsed];
  const domain = domains.map(fields).find((candidate) => candidate.domid === domid);
  if (!domain) return undefined;
  const config = fields(domain.config);
  const type = textOf(fields(config.c_info).type);
  return {
    ...(type && { type }),
    vifs: listOf(config.nics).map((nic) => {
      const mac = textOf(nic.mac);
      const ifname = textOf(nic.ifname);
      return {
        ...(mac && { mac }),
        ...(ifname && { ifname }),
        ips: (textOf(nic.ip) ?? '').split(/\s+/).filter((ip) => ip !== ''),
      };
    }),
    disks: listOf(config.disks).map((disk) => {
      const format = textOf(disk.format);
      const script = textOf(disk.script);
      return { vdev: textOf(disk.vdev) ?? '', path: textOf(disk.pdev_path) ?? '', ...(format && { format }), ...(script && { script }) };
    }),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
