import * as v from 'valibot';
import { text } from '../../config/values.js';
import { entranceEntries } from '../../listening/options.js';
import type { GatewayModule } from '../contract.js';
import { MetricsGateway } from './gateway.js';

const options = { ...entranceEntries, account: v.optional(text) };

export default {
  options,
  open: (_options, host) => new MetricsGateway(host),
} satisfies GatewayModule<typeof options>;
