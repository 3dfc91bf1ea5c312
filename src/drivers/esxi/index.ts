import { loadLibrary } from '../../protocols/vim/soap-client.js';
import type { DriverModule } from '../driver.js';
import { EsxiDriver } from './driver.js';
import { options } from './options.js';

// Before a server listens; where it is at work already, others have their turns meanwhile.
await loadLibrary();

/** ESXi hosts and virtual machines by vSphere Web Services: an ESXi alone, or a vCenter. */
const esxi: DriverModule<typeof options> = {
  options,
  defaults: { concurrency: 8, pollInterval: 60_000 },
  open: (given, host) => new EsxiDriver(given, host),
};

export default esxi;
