import os from 'node:os';

/**
 * A clock that goes on while the host sleeps, unlike performance.now(): CLOCK_BOOTTIME on Linux.
 * @returns milliseconds since the host has started, to a hundredth of a second
 */
export const sinceBoot = (): number => os.uptime() * 1000;
