import * as v from 'valibot';
import { flag, whole } from '../../config/values.js';
import { AUTHD_PORT } from '../../protocols/vmserverd/authd.js';
import type { DriverModule } from '../driver.js';
import { hostAddress } from '../host/options.js';
import { faultsOfLogin, loginEntries } from '../tls/options.js';
import { VmserverdDriver } from './driver.js';

/** The keys of a `[providers.NAME]` table of type vmserverd. */
const options = {
  host: hostAddress,
  port: v.optional(whole(1, 65_535), AUTHD_PORT),
  ...loginEntries,
  /** whether TLS of before 2008 will do */
  'old-tls': v.optional(flag, false),
};

/** Virtual machines of VMware Server 1, GSX and ESX 2, and of other argo-servers, through vmware-authd. */
const vmserverd: DriverModule<typeof options> = {
  options,
  defaults: {
    // A guest's shutdown, and a suspend that writes its memory to disk.
    actionTimeout: 300_000,
    // Each listing is two requests, and nothing else tells of changes.
    pollInterval: 15_000,
    concurrency: 16,
  },
  check: (given) => faultsOfLogin(given),
  open: (given, host) => new VmserverdDriver(given, host),
};

export default vmserverd;
