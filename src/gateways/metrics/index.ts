import * as v from 'valibot';
import { text, whole } from '../../config/values.js';
import { entranceEntries } from '../../listening/options.js';
import type { GatewayModule } from '../contract.js';
import { MetricsGateway } from './gateway.js';

const options = {
  ...entranceEntries,
  account: v.optional(text),
  instances: v.optional(v.boolean(), true),
  'max-series': v.optional(whole(0, 100_000_000), 50_000),
};

export default {
  options,
  open: (_options, host) => new MetricsGateway(host),
} satisfies GatewayModule<typeof options>;
