import type { GatewayModule } from '../contract.js';
import { VmserverdGateway } from './gateway.js';
import { faultsOf, options } from './options.js';

export default {
  options,
  open: (given, host) => new VmserverdGateway(host, given),
  faults: faultsOf,
} satisfies GatewayModule<typeof options>;
