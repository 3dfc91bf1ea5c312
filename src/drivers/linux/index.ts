import type { DriverModule } from '../driver.js';
import { HOST_ACTION_TIMEOUT } from '../host/power.js';
import { LinuxDriver } from './driver.js';
import { options } from './options.js';

/** Physical hosts with Linux: ping, SSH, Wake-on-LAN. */
const linux: DriverModule<typeof options> = {
  options,
  defaults: {
    actionTimeout: HOST_ACTION_TIMEOUT,
    // Each host has a connection of its own, and the pinger its own pace: none waits for another.
    concurrency: 1024,
  },
  open: (given, host) => new LinuxDriver(given, host),
};

export default linux;
