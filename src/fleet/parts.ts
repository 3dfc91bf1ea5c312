/** What somebody is in the fleet. `admin` makes buckets and streams, and neither orders nor listens. */
export type Part = 'site' | 'front' | 'admin';

/**
 * Whether somebody has an account of his own on the bus. A question to the bus's store names the subject of the answer, for which no
 * permission is asked (tried with nats-server 2.9.10). So who may ask anything could have answers written wherever he likes, and have
 * streams deleted; but within his own account only: of others, he reaches what that one imports. Fronts watch buckets, for which no
 * account of their own would do: who watches names another subject, inside of what he sends.
 * @param parts all that he is
 */
export const isApart = (parts: Iterable<Part>): boolean => [...parts].every((part) => part === 'site');
