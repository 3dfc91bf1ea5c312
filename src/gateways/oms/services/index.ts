import { sshRows, vncRows } from './consoles.js';
import { networkRows, statisticsRows } from './host.js';
import { migration, powerRows } from './machines.js';
import type { Row } from './row.js';
import { settingsRows, systemLimits } from './settings.js';
import { imageRows, isoRows, volumeRows } from './storage.js';
import { funcRows, tagRows } from './tags.js';
import { templateRows } from './templates.js';

/** All services with their methods, but for AuthService, whose methods need no session. */

export interface Service {
  /** the first is the one of OMS' documentation */
  readonly names: readonly [string, ...string[]];
  readonly methods: Readonly<Record<string, Row>>;
}

export const SERVICES: readonly Service[] = [
  { names: ['funcservices', 'funcservice', 'func'], methods: funcRows },
  {
    names: ['ovzservices', 'ovzservice', 'ovz', 'openvzservices'],
    methods: { ...powerRows('container', 'tmp_cache'), ...templateRows('container'), ...settingsRows('container'), migrate_vm: migration },
  },
  { names: ['sshservices', 'sshservice', 'ssh'], methods: sshRows },
  {
    names: ['kvmservices', 'kvmservice', 'kvm'],
    methods: { ...powerRows('vm', 'func'), ...templateRows('vm'), parse_system_min_max: systemLimits, ...settingsRows('vm'), ...vncRows, ...imageRows },
  },
  { names: ['isoservices', 'isoservice', 'iso'], methods: isoRows },
  { names: ['lvmservices', 'lvmservice', 'lvm'], methods: volumeRows },
  { names: ['tagservices', 'tagservice', 'tag'], methods: tagRows },
  { names: ['statsservices', 'statsservice', 'stats'], methods: statisticsRows },
  { names: ['netinterfaceservices', 'netinterfaceservice', 'netinterface'], methods: networkRows },
];

/** What a client calls a method, with all of its names. */
export const METHODS: ReadonlyMap<string, ReadonlyMap<string, Row>> = new Map(SERVICES.flatMap(({ names, methods }) => {
  const rows = new Map(Object.entries(methods).flatMap(([name, row]) => [name, ...row.aliases].map((one): [string, Row] => [one, row])));
  return names.map((name): [string, ReadonlyMap<string, Row>] => [name, rows]);
}));
