/** What a server says of a machine's power (docs/protocol.md, "States"), as it is told there. */
export const STATES = ['on', 'off', 'paused', 'suspended', 'starting', 'stopping', 'crashed', 'unknown'] as const;

/** What a state comes to where there is only on and off. What is not off is on; what is not known is neither. */
export type Power = 'ON' | 'OFF' | 'None';

export function powerOf(state: string): Power {
  if (state === 'off') return 'OFF';
  return state !== 'unknown' && (STATES as readonly string[]).includes(state) ? 'ON' : 'None';
}
