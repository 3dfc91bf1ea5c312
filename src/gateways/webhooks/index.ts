import type { GatewayModule } from '../contract.js';
import { faultsOf, options } from './options.js';
import { Sink } from './sink.js';

export default {
  options,
  open: (_options, host) => new Sink(host),
  faults: faultsOf,
} satisfies GatewayModule<typeof options>;
