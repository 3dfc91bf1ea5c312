/** What a machine is doing. `unknown` is never a stand-in for `off`. */
export const POWER_STATES = ['on', 'off', 'paused', 'suspended', 'starting', 'stopping', 'crashed', 'unknown'] as const;
export type PowerState = (typeof POWER_STATES)[number];
