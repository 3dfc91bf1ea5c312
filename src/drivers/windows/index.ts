import type { DriverModule } from '../driver.js';
import { HOSTS_DEFAULTS } from '../host/power.js';
import { WindowsDriver } from './driver.js';
import { options } from './options.js';

/** Physical hosts with Windows: ping, WMI, Wake-on-LAN. */
const windows: DriverModule<typeof options> = {
  options,
  defaults: HOSTS_DEFAULTS,
  open: (given, host) => new WindowsDriver(given, host),
};

export default windows;
