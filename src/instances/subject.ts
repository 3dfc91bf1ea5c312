import { Instance } from './instance.js';
import type { Owner } from './owner.js';

/** What something is done to: an instance, or a provider as a whole. */
export type Subject = Instance | Owner;

export const ownerOf = (subject: Subject): Owner => (subject instanceof Instance ? subject.owner : subject);

/** The full name of an instance, the name of a provider. */
export const fullNameOf = (subject: Subject): string => (subject instanceof Instance ? subject.fullName : subject.name);

/** Undefined where it is a provider. */
export const instanceOf = (subject: Subject): Instance | undefined => (subject instanceof Instance ? subject : undefined);
