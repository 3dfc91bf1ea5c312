import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import type { Log } from '../../../kit/log.js';
import { ConfigurationReader } from '../../../protocols/zabbix/configuration-reader.js';
import type { ProxyConfiguration } from '../../../protocols/zabbix/configuration.js';
import type { KnownConfiguration } from '../../../protocols/zabbix/conversation.js';
import { CONFIGURATION_LIMITS } from '../../../protocols/zabbix/frame.js';
import type { History } from '../../../store/history.js';
import type { Incoming } from '../contract.js';
import { KeptNote } from './kept-note.js';

interface ConfigurationsParts {
  readonly history: Pick<History, 'open' | 'note' | 'setNote'>;
  readonly incoming: Pick<Incoming, 'serves' | 'configured'>;
  readonly log: Log;
  /** Told after each change, before the collecting half is. */
  changed(configuration: ProxyConfiguration): void;
  /** The server has forgotten what it told: it may have been started anew. */
  doubt(): void;
}

/** Bytes that are hashed in one go: some milliseconds. */
const HASHED = 1024 * 1024;

const pack = promisify(deflate) as (content: Buffer) => Promise<Buffer>;
const unpack = promisify(inflate) as (content: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

/**
 * What the server wants. The last whole configuration is kept on the disk: values are collected from the start on, also
 * while the server is not there.
 */
export class Configurations {
  readonly #parts: ConfigurationsParts;
  readonly #reader: ConfigurationReader;
  readonly #note: KeptNote;
  readonly #aborter = new AbortController();
  #hash = '';
  /** that what has this hash was all of it */
  #isWhole = false;
  #isKnown = false;
  #toldSkipped = '';

  constructor(parts: ConfigurationsParts) {
    this.#parts = parts;
    this.#note = new KeptNote(parts.history, 'configuration');
    this.#reader = new ConfigurationReader((item) => parts.incoming.serves(item));
  }

  /** what a server since 6.4 is told */
  get known(): KnownConfiguration {
    return this.#reader.known;
  }

  /** items that the server wants of us */
  get items(): number {
    return this.#reader.current.items.length;
  }

  /** Whether one is kept from before the last end. Never rejects. */
  async isKept(): Promise<boolean> {
    return await this.#note.read().catch(() => undefined) !== undefined;
  }

  /** Takes up what was wanted before the last end, where no server has said anything yet. Never rejects. */
  async recover(): Promise<void> {
    const { log } = this.#parts;
    try {
      const note = await this.#note.read();
      if (note === undefined || this.#isKnown) return;
      const content = await unpack(Buffer.from(note, 'base64'), { maxOutputLength: CONFIGURATION_LIMITS.raw });
      if (!this.#isKnown) await this.#read(content);
    } catch (error) {
      log('warn', 'the last configuration from Zabbix cannot be used', { reason: (error as Error).message });
    } finally {
      this.#reader.forget();
    }
  }

  /** @param content as it came; it is not to be used any more @throws ZabbixError */
  async take(content: Buffer): Promise<void> {
    await this.#take(content);
    await this.#note.keep();
  }

  async #take(content: Buffer): Promise<void> {
    const hash = await hashOf(content);
    this.#isKnown = true;
    // a server since 6.4 tells all to whom it has told nothing: one that was started anew, or another node
    const { revision } = this.known;
    if (hash === this.#hash) {
      if (this.#isWhole && revision > 0) this.#parts.doubt();
      return;
    }
    const packed = await pack(content);
    const { isWhole, isWorthKeeping } = await this.#read(content);
    if (isWhole && revision > 0) this.#parts.doubt();
    this.#hash = hash;
    this.#isWhole = isWhole;
    if (isWorthKeeping) this.#note.set(packed.toString('base64'));
  }

  close(): void {
    this.#aborter.abort(new Error('the gateway is closed'));
  }

  /** @returns whether it was more than changes, and whether to take it up at the next start */
  async #read(content: Buffer): Promise<{ readonly isWhole: boolean; readonly isWorthKeeping: boolean }> {
    const { incoming, log, changed } = this.#parts;
    const { configuration, isChanged, isWhole, skipped } = await this.#reader.read(content, this.#aborter.signal);
    const words = skipped.reasons.join('; ');
    if (words !== this.#toldSkipped && words !== '') log('warn', 'rows of the configuration from Zabbix were left out', { rows: skipped.count, reasons: words.slice(0, 500) });
    this.#toldSkipped = words;
    if (isChanged) {
      changed(configuration);
      incoming.configured(configuration);
    }
    return { isWhole, isWorthKeeping: isWhole && isChanged && configuration.hosts.size > 0 };
  }
}

async function hashOf(content: Buffer): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < content.length; at += HASHED) {
    if (at > 0) await turn();
    hash.update(content.subarray(at, at + HASHED));
  }
  return hash.digest('hex');
}
