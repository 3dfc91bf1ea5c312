import type { GatewayModule } from '../contract.js';
import { rootFaultsOnDisk } from './files/options.js';
import { VmserverdGateway } from './gateway.js';
import { faultsOf, options } from './options.js';

export default {
  options,
  makesCertificate: true,
  open: (given, host) => new VmserverdGateway(host, given),
  faults: faultsOf,
  ownFaults: (given, own) => rootFaultsOnDisk(given['file-roots'], own),
} satisfies GatewayModule<typeof options>;
