import type { DriverModule } from '../driver.js';
import { LibvirtDriver } from './driver.js';
import { options } from './options.js';

/** Virtual machines and containers of a libvirt: QEMU/KVM, LXC, and what else it has a driver for. */
const libvirt: DriverModule<typeof options> = {
  options,
  defaults: {
    // Events keep the registry current; the poll only repairs what they missed.
    pollInterval: 60_000,
    // The connection has its own limit, with a lane for quick questions: waiting is its part.
    concurrency: 64,
  },
  open: (given, host) => new LibvirtDriver(given, host),
};

export default libvirt;
