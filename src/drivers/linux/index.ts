import type { DriverModule } from '../driver.js';
import { faultsOfHosts } from '../host/hosts.js';
import { HOSTS_DEFAULTS } from '../host/power.js';
import { LinuxDriver } from './driver.js';
import { options } from './options.js';

/** Physical hosts with Linux: ping, SSH, Wake-on-LAN. */
const linux: DriverModule<typeof options> = {
  options,
  defaults: HOSTS_DEFAULTS,
  check: (given) => faultsOfHosts(given),
  open: (given, host) => new LinuxDriver(given, host),
};

export default linux;
