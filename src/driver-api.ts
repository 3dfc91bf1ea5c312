/** What authors of drivers import: `import type { DriverModule } from 'argo-server/driver'`. */
export type {
  Autostart,
  ConsoleCall,
  ConsoleKind,
  Consoles,
  ConsoleSize,
  ConsoleStream,
  Disk,
  Driver,
  DriverDefaults,
  DriverHost,
  DriverModule,
  Facts,
  Load,
  Machine,
  MachineType,
  PowerState,
  Readings,
  Sample,
  Sighting,
  Sightings,
} from './drivers/driver.js';
/** A machine behind another gate. */
export type { FarCall, FarChange, FarGate, FarOrder, FarOutcome } from './drivers/far.js';
/** What drivers can do beyond power. */
export type { MachineAbilities, None, ProviderAbilities, Work, WorkCall } from './drivers/management/contract.js';
export type * from './drivers/management/machine.js';
export type * from './drivers/management/network.js';
export type * from './drivers/management/statistics.js';
export type * from './drivers/management/storage.js';
export type { TableFault } from './config/catalogue.js';
export { ArgoError, PHRASES, SettingsFault, type Phrase } from './kit/errors.js';
export type { Log } from './kit/log.js';

/** For a console that is reached by TCP or at a Unix socket: it may flood, and costs half as much as by a socket of Node's. */
export { connectConsole } from './protocols/tls/lending-socket.js';

/** The keys of a table: how each is read, and what is said where it is wrong. */
export { duration, endpoint, flag, positiveDuration, text, texts, whole, type Endpoint } from './config/values.js';
export { passwordEntries, readPassword, readSecret, secretEntries, type Secret, type SecretOptions } from './config/secret.js';
/** valibot, with which further keys can be described. */
export * as v from 'valibot';
