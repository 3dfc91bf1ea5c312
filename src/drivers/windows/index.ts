import type { DriverModule } from '../driver.js';
import { HOSTS_DEFAULTS } from '../host/power.js';
import { faultsOfHosts } from '../host/hosts.js';
import { serviceSign } from '../wmi/open-link.js';
import { WindowsDriver } from './driver.js';
import { options } from './options.js';

/** Physical hosts with Windows: ping, WMI, Wake-on-LAN. */
const windows: DriverModule<typeof options> = {
  options,
  defaults: HOSTS_DEFAULTS,
  check: (given) => faultsOfHosts(given, ({ name, address = name }) => serviceSign(given, address)),
  open: (given, host) => new WindowsDriver(given, host),
};

export default windows;
