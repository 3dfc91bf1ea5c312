import type { GatewayModule } from '../contract.js';
import { WebGateway } from './gateway.js';
import { options } from './options.js';

export default {
  options,
  open: (given, host) => new WebGateway(host, given),
} satisfies GatewayModule<typeof options>;
