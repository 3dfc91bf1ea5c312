import type { GatewayModule } from '../contract.js';
import { OmsGateway } from './gateway.js';
import { options } from './options.js';

export default {
  options,
  open: (given, host) => new OmsGateway(host, given),
} satisfies GatewayModule<typeof options>;
