import { ArgoError } from '../kit/errors.js';

/**
 * The part of a connection's beginning that a viewer sees (RFC 6143, 7.1 to 7.3.1), where the server has been logged in
 * to already: the viewer is offered a session without a password, so none has to leave this process. Behind it, and
 * only for who may look and not touch, the viewer's messages (7.5) are sifted.
 */

const GREETING = Buffer.from('RFB 003.008\n', 'latin1');
const VERSION_BYTES = 12;
const NONE = 1;
const SHARED = Buffer.from([1]);

/** Bytes of a viewer's message, by its type, as far as its length is fixed. */
const LENGTHS: ReadonlyMap<number, number> = new Map([[0, 20], [3, 10], [4, 8], [5, 6], [150, 10], [250, 4]]);

/** SetPixelFormat, SetEncodings, FramebufferUpdateRequest: what a viewer needs to see. */
const LOOKING: ReadonlySet<number> = new Set([0, 2, 3]);

/** Encodings that a viewer may name; noVNC names 25. */
const MOST_ENCODINGS = 256;

/** Bytes of a text that a viewer puts on the clipboard, all of which are dropped. */
const MOST_TEXT = 16 * 1024 * 1024;

const SET_ENCODINGS = 2;
const CUT_TEXT = 6;
const FENCE = 248;
const SET_DESKTOP_SIZE = 251;
const QEMU = 255;

/** What becomes of a chunk. */
export interface Passed {
  readonly toViewer?: Buffer;
  readonly toServer?: Buffer;
}

/** One viewer's bytes, from its first one on. */
export class RfbViewer {
  /** what the viewer is sent first */
  readonly greeting = GREETING;
  readonly #viewOnly: boolean;
  #state: 'version' | 'security' | 'init' | 'open' = 'version';
  #minor = 8;
  #held: Buffer = Buffer.alloc(0);
  /** bytes of a message that still come, and are dropped */
  #dropping = 0;

  constructor(viewOnly: boolean) {
    this.#viewOnly = viewOnly;
  }

  /** whether the viewer has come as far as a session */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** @throws ArgoError BAD REQUEST */
  receive(chunk: Buffer): Passed {
    if (this.#state === 'open' && !this.#viewOnly) return { toServer: chunk };
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const toViewer: Buffer[] = [];
    const toServer: Buffer[] = [];
    while (this.#step(toViewer, toServer));
    return { ...(toViewer.length > 0 && { toViewer: Buffer.concat(toViewer) }), ...(toServer.length > 0 && { toServer: Buffer.concat(toServer) }) };
  }

  /** @returns whether there may be more to do */
  #step(toViewer: Buffer[], toServer: Buffer[]): boolean {
    switch (this.#state) {
      case 'version': {
        const line = this.#take(VERSION_BYTES)?.toString('latin1');
        if (line === undefined) return false;
        const version = /^RFB 003\.(\d{3})\n$/.exec(line);
        if (!version) throw wrong('a viewer that does not speak RFB');
        // 003.005 is what some say who mean 003.003 (7.1.1)
        this.#minor = Number(version[1]) >= 7 ? Math.min(Number(version[1]), 8) : 3;
        toViewer.push(Buffer.from(this.#minor === 3 ? [0, 0, 0, NONE] : [1, NONE]));
        this.#state = this.#minor === 3 ? 'init' : 'security';
        return true;
      }
      case 'security': {
        const chosen = this.#take(1);
        if (chosen === undefined) return false;
        if (chosen[0] !== NONE) throw wrong('a viewer that chooses what was not offered');
        if (this.#minor === 8) toViewer.push(Buffer.alloc(4));
        this.#state = 'init';
        return true;
      }
      case 'init':
        if (this.#take(1) === undefined) return false;
        // whoever asks to be alone would cut the others off
        toServer.push(SHARED);
        this.#state = 'open';
        return true;
      case 'open':
        return this.#viewOnly ? this.#sift(toServer) : this.#passRest(toServer);
    }
  }

  #passRest(toServer: Buffer[]): false {
    if (this.#held.length > 0) toServer.push(this.#held);
    this.#held = Buffer.alloc(0);
    return false;
  }

  #sift(toServer: Buffer[]): boolean {
    if (this.#dropping > 0) {
      const dropped = Math.min(this.#dropping, this.#held.length);
      this.#held = this.#held.subarray(dropped);
      this.#dropping -= dropped;
    }
    const [type] = this.#held;
    if (type === undefined) return false;
    const length = messageLength(this.#held, type);
    if (length === undefined) return false;
    if (!LOOKING.has(type)) {
      this.#dropping = length;
      return true;
    }
    const message = this.#take(length);
    if (message === undefined) return false;
    toServer.push(message);
    return true;
  }

  #take(length: number): Buffer | undefined {
    if (this.#held.length < length) return undefined;
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }
}

/** @returns undefined while it cannot be told @throws ArgoError BAD REQUEST where it never can: what follows would be misread */
function messageLength(held: Buffer, type: number): number | undefined {
  const fixed = LENGTHS.get(type);
  if (fixed !== undefined) return fixed;
  switch (type) {
    case SET_ENCODINGS: {
      if (held.length < 4) return undefined;
      const count = held.readUInt16BE(2);
      if (count > MOST_ENCODINGS) throw wrong(`a viewer with ${count} encodings`);
      return 4 + 4 * count;
    }
    case CUT_TEXT: {
      if (held.length < 8) return undefined;
      // negative in the extended form
      const text = Math.abs(held.readInt32BE(4));
      if (text > MOST_TEXT) throw wrong(`a text of ${text} bytes`);
      return 8 + text;
    }
    case FENCE: return held.length < 9 ? undefined : 9 + held[8]!;
    case SET_DESKTOP_SIZE: return held.length < 8 ? undefined : 8 + 16 * held[6]!;
    case QEMU: {
      if (held.length < 4) return undefined;
      // a key with its scancode; or sound, of which only the one that sets a format is longer
      return held[1] === 0 ? 12 : held.readUInt16BE(2) === 2 ? 10 : 4;
    }
    default: throw wrong(`a viewer's message of type ${type}`);
  }
}

const wrong = (what: string): ArgoError => new ArgoError('BAD REQUEST', what);
