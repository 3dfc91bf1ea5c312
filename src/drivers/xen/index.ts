import * as v from 'valibot';
import { text } from '../../config/values.js';
import type { DriverModule } from '../driver.js';
import { openXen } from './driver.js';

const path = v.pipe(text, v.check((value) => value.startsWith('/'), 'a full path is expected, such as "/etc/xen"'));

const options = {
  /** the xl program; else the one in PATH or the system's folders */
  xl: v.optional(path),
  /** the programs by which consoles are found and opened */
  'xenstore-read': v.optional(path),
  xenconsole: v.optional(path),
  /** where the domains' configuration files lie: NAME.cfg */
  'config-dir': v.optional(path, '/etc/xen'),
  /** where suspended machines' memory goes */
  'save-dir': v.optional(path, '/var/lib/xen/argo'),
};

/** The Xen host that the daemon runs on: its domain 0, through the xl program. */
const xen: DriverModule<typeof options> = {
  options,
  defaults: { actionTimeout: 120_000, pollInterval: 10_000, concurrency: 4 },
  open: (given, host) => openXen({ configDir: given['config-dir'], saveDir: given['save-dir'], xl: given.xl, xenstoreRead: given['xenstore-read'], xenconsole: given.xenconsole }, host),
};

export default xen;
