import * as v from 'valibot';
import type { DriverModule } from '../driver.js';
import { listedHostEntries, manyHostsEntries } from '../host/options.js';
import { HOSTS_DEFAULTS } from '../host/power.js';
import { faultsOfHosts } from '../host/hosts.js';
import { serviceSign } from '../wmi/open-link.js';
import { wmiEntries } from '../wmi/options.js';
import { SUSPENSIONS } from '../wmi/power.js';
import { WindowsDriver } from './driver.js';

/** The keys of a `[providers.NAME]` table of type windows. */
const options = {
  ...wmiEntries,
  /** what `suspend` does; without it, nothing */
  suspend: v.optional(v.picklist(SUSPENSIONS, '"hibernate" or "sleep" is expected')),
  ...manyHostsEntries(v.strictObject({
    ...listedHostEntries,
    /** of this host's certificate */
    fingerprint: wmiEntries.fingerprint,
    /** of this host's service */
    kerberos: wmiEntries.kerberos,
  })),
};

/** Physical hosts with Windows: ping, WMI, Wake-on-LAN. */
const windows: DriverModule<typeof options> = {
  options,
  defaults: HOSTS_DEFAULTS,
  check: (given) => faultsOfHosts(given, ({ name, address = name }) => serviceSign(given, address)),
  open: (given, host) => new WindowsDriver(given, host),
};

export default windows;
