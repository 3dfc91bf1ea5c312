import { Duplex } from 'node:stream';

/** A machine's screen behind its security handshake (RFC 6143, 7.3 on): one colour, and strict about what it is sent. */

const [WIDTH, HEIGHT] = [640, 400] as const;
const QEMU_KEYS = -258;
const [RAW, UPDATE, CUT_TEXT] = [0, 0, 3] as const;

type Colour = readonly [red: number, green: number, blue: number];

export class RfbMachine extends Duplex {
  /** keys that went down or up, as `down KEYSYM` or, with a scancode, `down KEYSYM/SCANCODE`, in hexadecimal */
  readonly keys: string[] = [];
  /** buttons and where the pointer was */
  readonly pointers: (readonly [buttons: number, x: number, y: number])[] = [];
  /** what the viewer has put into our clipboard */
  readonly texts: string[] = [];
  readonly faults: string[] = [];
  #colour: Colour = [32, 96, 160];
  #held: Buffer = Buffer.alloc(0);
  #state: 'init' | 'open' = 'init';
  /** where each part of a colour stands in a pixel, as the viewer wants it */
  #shifts: Colour = [16, 8, 0];
  #isAsked = false;
  readonly #name: string;
  readonly #hasScancodes: boolean;
  #isFull: (() => void) | undefined;

  constructor(name: string, hasScancodes = false) {
    super({ allowHalfOpen: false });
    this.#name = name;
    this.#hasScancodes = hasScancodes;
  }

  paint(colour: Colour): void {
    this.#colour = colour;
    if (this.#isAsked) this.#update();
  }

  /** Puts a text into the viewer's clipboard. */
  copy(text: string): void {
    const head = Buffer.alloc(8);
    head[0] = CUT_TEXT;
    head.writeUInt32BE(text.length, 4);
    this.push(Buffer.concat([head, Buffer.from(text, 'latin1')]));
  }

  /** Sends what is no RFB. */
  babble(): void {
    this.push(Buffer.alloc(64, 0xee));
  }

  /** Updates that nobody has asked for, as many as are taken. @returns ends that */
  flood(): () => void {
    const timer = setInterval(() => {
      while (this.#isFull === undefined && this.#update());
    }, 1);
    return () => clearInterval(timer);
  }

  override _read(): void {
    this.#isFull?.();
    this.#isFull = undefined;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#held = Buffer.concat([this.#held, chunk]);
    while (this.#step());
    done();
  }

  #take(length: number): Buffer | undefined {
    if (this.#held.length < length) return undefined;
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }

  #step(): boolean {
    if (this.#state === 'init') {
      const shared = this.#take(1);
      if (shared === undefined) return false;
      if (shared[0] !== 1) this.faults.push('it wants to be alone');
      this.#state = 'open';
      this.#begin();
      return true;
    }
    const length = this.#length();
    const message = length === undefined ? undefined : this.#take(length);
    if (message !== undefined) this.#obey(message);
    return message !== undefined;
  }

  #begin(): void {
    const init = Buffer.alloc(24);
    init.writeUInt16BE(WIDTH, 0);
    init.writeUInt16BE(HEIGHT, 2);
    Buffer.from([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0]).copy(init, 4);
    init.writeUInt32BE(this.#name.length, 20);
    this.push(Buffer.concat([init, Buffer.from(this.#name, 'latin1')]));
  }

  #length(): number | undefined {
    const held = this.#held;
    switch (held[0]) {
      case undefined: return undefined;
      case 0: return 20;
      case 2: return held.length < 4 ? undefined : 4 + 4 * held.readUInt16BE(2);
      case 3: return 10;
      case 4: return 8;
      case 5: return 6;
      case 6: return held.length < 8 ? undefined : 8 + held.readUInt32BE(4);
      case 255: return 12;
      default:
        this.faults.push(`a message of type ${held[0]}`);
        this.destroy();
        return undefined;
    }
  }

  #obey(message: Buffer): void {
    switch (message[0]) {
      case 0:
        if (message[4] !== 32 || message[7] !== 1) this.faults.push('pixels that are not asked for');
        this.#shifts = [message[14]!, message[15]!, message[16]!];
        break;
      case 2:
        for (let at = 4; at < message.length; at += 4) if (this.#hasScancodes && message.readInt32BE(at) === QEMU_KEYS) this.push(rectangle(QEMU_KEYS, 0, 0));
        break;
      case 3:
        if (message[1] === 0) this.#update();
        else this.#isAsked = true;
        break;
      case 4: this.keys.push(`${message[1] === 1 ? 'down' : 'up'} ${message.readUInt32BE(4).toString(16)}`); break;
      case 5: this.pointers.push([message[1]!, message.readUInt16BE(2), message.readUInt16BE(4)]); break;
      case 6: this.texts.push(message.toString('latin1', 8)); break;
      default: this.keys.push(`${message[3] === 1 ? 'down' : 'up'} ${message.readUInt32BE(4).toString(16)}/${message.readUInt32BE(8).toString(16)}`);
    }
  }

  #update(): boolean {
    this.#isAsked = false;
    const pixel = this.#colour.reduce((sum, part, at) => sum + part * 2 ** this.#shifts[at]!, 0);
    const pixels = Buffer.alloc(WIDTH * HEIGHT * 4);
    for (let at = 0; at < pixels.length; at += 4) pixels.writeUInt32LE(pixel, at);
    const isTaken = this.push(Buffer.concat([rectangle(RAW, WIDTH, HEIGHT), pixels]));
    if (!isTaken) this.#isFull ??= () => undefined;
    return isTaken;
  }
}

/** The head of an update with one rectangle (7.6.1). */
function rectangle(encoding: number, width: number, height: number): Buffer {
  const head = Buffer.alloc(16);
  head[0] = UPDATE;
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(width, 8);
  head.writeUInt16BE(height, 10);
  head.writeInt32BE(encoding, 12);
  return head;
}
