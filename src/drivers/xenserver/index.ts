import type { DriverModule } from '../driver.js';
import { XenServerDriver } from './driver.js';
import { options } from './options.js';

/** Virtual machines and hosts of XenServer and XCP-ng, through XenAPI. */
const xenserver: DriverModule<typeof options> = {
  options,
  defaults: {
    // A clean shutdown is a guest's, and a suspend writes its memory to disk.
    actionTimeout: 300_000,
    concurrency: 32,
  },
  open: (given, host) => new XenServerDriver(given, host),
};

export default xenserver;
