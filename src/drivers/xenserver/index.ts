import * as v from 'valibot';
import type { DriverModule } from '../driver.js';
import { faultsOfHosts } from '../host/hosts.js';
import { listedHostEntries, sharedEntries } from '../host/options.js';
import { faultsOfLogin, loginEntries, oneOrMore, origin } from '../tls/options.js';
import { XenServerDriver } from './driver.js';

/** The keys of a `[providers.NAME]` table of type xenserver. */
const options = {
  /** the pool's hosts, or some of them, or one */
  url: oneOrMore(origin, 'a URL'),
  ...loginEntries,
  /** what the pool does not say of its hosts; found there by name or address */
  hosts: v.optional(v.array(v.strictObject(listedHostEntries), 'a list is expected, such as [{ name = "xen1", mac = "52:54:00:aa:00:11" }]'), []),
  ...sharedEntries,
};

/** Virtual machines and hosts of XenServer and XCP-ng, through XenAPI. */
const xenserver: DriverModule<typeof options> = {
  options,
  defaults: {
    // A clean shutdown is a guest's, and a suspend writes its memory to disk.
    actionTimeout: 300_000,
    concurrency: 32,
  },
  check: (given) => [...faultsOfLogin(given, ...given.url), ...faultsOfHosts(given)],
  open: (given, host) => new XenServerDriver(given, host),
};

export default xenserver;
