import * as v from 'valibot';
import { flag } from '../../config/values.js';
import type { DriverModule } from '../driver.js';
import { faultsOfAddress } from '../host/hosts.js';
import { singleHostEntries } from '../host/options.js';
import { HOST_ACTION_TIMEOUT } from '../host/power.js';
import { serviceSign } from '../wmi/open-link.js';
import { wmiEntries } from '../wmi/options.js';
import { HyperVDriver } from './driver.js';

/** The keys of a `[providers.NAME]` table of type hyperv. */
const options = {
  ...singleHostEntries,
  ...wmiEntries,
  /** whether guests close programs that hold unsaved work, and shut down although they are locked */
  'close-programs': v.optional(flag, false),
};

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
