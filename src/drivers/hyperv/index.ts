import type { DriverModule } from '../driver.js';
import { faultsOfAddress } from '../host/hosts.js';
import { HOST_ACTION_TIMEOUT } from '../host/power.js';
import { serviceSign } from '../wmi/open-link.js';
import { HyperVDriver } from './driver.js';
import { options } from './options.js';

/** Hyper-V hosts and their virtual machines, through WMI. */
const hyperv: DriverModule<typeof options> = {
  options,
  defaults: {
    actionTimeout: HOST_ACTION_TIMEOUT,
    // Each change of a VM is seen at the next listing, which costs one query.
    pollInterval: 10_000,
    concurrency: 128,
  },
  check: (given) => faultsOfAddress(() => serviceSign(given, given.address)),
  open: (given, host) => new HyperVDriver(given, host),
};

export default hyperv;
