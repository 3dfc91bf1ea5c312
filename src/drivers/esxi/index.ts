import * as v from 'valibot';
import { flag, text } from '../../config/values.js';
import type { DriverModule } from '../driver.js';
import { faultsOfHosts } from '../host/hosts.js';
import { listedHostEntries, sharedEntries } from '../host/options.js';
import { faultsOfLogin, loginEntries } from '../tls/options.js';
import { EsxiDriver } from './driver.js';

/** Where ESXi and vCenter have their service; a proxy in front of several may put it into a folder of its own. */
const SERVICE = '/sdk';

/** The service's URL, whose path may be left out. What would not be used is refused. */
const serviceUrl = v.pipe(
  text,
  v.check((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), 'a URL such as "https://vc1.example/sdk" is expected'),
  v.check((value) => !URL.canParse(value) || new URL(value).username === '', 'user and password do not belong into the URL'),
  v.check((value) => !URL.canParse(value) || /^(?:|.*\/sdk)\/?$/.test(new URL(value).pathname), `the path has to end in ${SERVICE}, or to be left out`),
  v.check((value) => !/[?#]/.test(value), 'neither "?" nor "#" belongs into the URL'),
  v.transform((value) => new URL(new URL(value).pathname.replace(/\/$/, '') || SERVICE, value)),
);

/** The keys of a `[providers.NAME]` table of type esxi. */
const options = {
  url: serviceUrl,
  ...loginEntries,
  /** what vSphere does not say of its hosts; found there by name or address */
  hosts: v.optional(v.array(v.strictObject(listedHostEntries), 'a list is expected, such as [{ name = "esx1", mac = "52:54:00:aa:00:11" }]'), []),
  ...sharedEntries,
  /** whether vApps are instances, beside the machines in them */
  vapps: v.optional(flag, false),
  /** what to answer to questions of virtual machines, by the question's id */
  answers: v.optional(v.record(v.string(), text), {}),
};

/** ESXi hosts and virtual machines by vSphere Web Services: an ESXi alone, or a vCenter. */
const esxi: DriverModule<typeof options> = {
  options,
  defaults: { concurrency: 8, pollInterval: 60_000 },
  check: (given) => [...faultsOfLogin(given, given.url), ...faultsOfHosts(given)],
  open: (given, host) => new EsxiDriver(given, host),
};

export { loadLibrary } from '../../protocols/vim/soap-client.js';
export default esxi;
