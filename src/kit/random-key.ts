import { createHash, randomBytes } from 'node:crypto';

/** 192 bits: nobody guesses one. */
const BYTES = 24;

/** A key by which somebody is known or let in: 32 characters of base64url. */
export const newKey = (): string => randomBytes(BYTES).toString('base64url');

/** What is kept of one in its place. So much chance needs no slow hash. */
export const keyHash = (key: string): string => createHash('sha256').update(key).digest('base64url');
