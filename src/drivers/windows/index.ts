import type { DriverModule } from '../driver.js';
import { HOST_ACTION_TIMEOUT } from '../host/power.js';
import { WindowsDriver } from './driver.js';
import { options } from './options.js';

/** Physical hosts with Windows: ping, WMI, Wake-on-LAN. */
const windows: DriverModule<typeof options> = {
  options,
  defaults: {
    actionTimeout: HOST_ACTION_TIMEOUT,
    // Each host has a connection of its own, and the pinger its own pace: none waits for another.
    concurrency: 1024,
  },
  open: (given, host) => new WindowsDriver(given, host),
};

export default windows;
