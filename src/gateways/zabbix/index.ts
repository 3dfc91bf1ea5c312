import type { GatewayModule } from '../contract.js';
import { ZabbixGateway } from './gateway.js';
import { faultsOf, options } from './options.js';

export default {
  options,
  open: (_options, host) => new ZabbixGateway(host),
  faults: faultsOf,
} satisfies GatewayModule<typeof options>;
