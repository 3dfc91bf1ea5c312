import { randomUUID } from 'node:crypto';
import { SITE_NAME } from '../config/fleet.js';

/** Subjects, buckets and streams on the bus: one place for their names. */

/** Names of sites and fronts: one token of a subject. */
export const FLEET_NAME = SITE_NAME.form;

const PLAIN = /^[A-Za-z0-9_-]+$/;

/** A name as a token of a subject or a key: as it is, where it may stand there; else `=` and its UTF-8 in base64url. */
export const tokenOf = (name: string): string => (PLAIN.test(name) ? name : `=${Buffer.from(name).toString('base64url')}`);

export const nameOfToken = (token: string): string => (token.startsWith('=') ? Buffer.from(token.slice(1), 'base64url').toString() : token);

/** Front to site, answered: orders and settings; questions; what became of an order. */
export const orderSubject = (site: string): string => `argo.v1.site.${site}.op`;
export const askSubject = (site: string): string => `argo.v1.site.${site}.ask`;
export const resultSubject = (site: string): string => `argo.v1.site.${site}.result`;
/** Site to all fronts. */
export const aliveSubject = (site: string): string => `argo.v1.site.${site}.alive`;
export const ALIVE_OF_ALL = 'argo.v1.site.*.alive';
export const newsSubject = (site: string): string => `argo.v1.site.${site}.news`;
export const NEWS_OF_ALL = 'argo.v1.site.*.news';
/** Site to the stream of events. */
export const eventSubject = (site: string, type: string): string => `argo.v1.event.${site}.${type}`;
export const EVENTS_OF_ALL = 'argo.v1.event.*.*';
export const AUDITS_OF_ALL = 'argo.v1.audit.front.*';
export const auditSubject = (front: string): string => `argo.v1.audit.front.${front}`;

/**
 * A queue with nobody else in it, for a subject at which one listens by one connection after the other. Where a client was cut off as
 * its key was taken out, and is let in again, its server does not tell the others of the cluster a second time that somebody listens at
 * the same subject, and what comes by them is lost; of a new queue there it tells (tried: nats-server 2.9.10). The answer that nobody
 * listens, and what the store sends to who watches a bucket, do not reach a queue: those have a subject that is new each time.
 */
export const newQueue = (): string => randomUUID();

/** Several processes of one site take orders in turn. */
export const SITE_QUEUE = 'site';

export const INVENTORY_BUCKET = 'argo-inventory';
export const LEASES_BUCKET = 'argo-leases';
export const EVENTS_STREAM = 'ARGO_EVENTS';
export const AUDIT_STREAM = 'ARGO_AUDIT';

/** By which a site that has an account of its own asks how a stream is: it stands for what whoever keeps that is asked by. */
export const storeSubject = (stream: string): string => `argo.v1.store.${stream}`;

/** Key of a value of the inventory. */
export const chunkKey = (site: string, provider: string, chunk: number): string => `${site}.${tokenOf(provider)}.${chunk}`;
/** What each client of the bus gets its answers below, so that none can read those of another. */
export const inboxPrefix = (name: string): string => `_INBOX.${name}`;
