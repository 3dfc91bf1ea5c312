import { PassThrough } from 'node:stream';

/** Standard input; a terminal can be told to hand out each key as it is pressed. */
export type KeyStream = NodeJS.ReadableStream & { readonly isTTY?: boolean; readonly isRaw?: boolean; setRawMode?(isRaw: boolean): unknown };

/** Where what is typed into a console comes from. */
export interface Keys {
  readonly stream: KeyStream;
  /** From now on nobody else takes what comes. @returns ends that */
  divert(): () => void;
}

/** A stream that nobody else reads. */
export const keysOf = (stream: KeyStream): Keys => ({ stream, divert: () => () => undefined });

/** The way from a terminal to readline, which is closed while a console has the keys. */
export class KeyGate extends PassThrough implements Keys {
  readonly isTTY = true;
  readonly stream: KeyStream;
  #isDiverted = false;

  constructor(stream: KeyStream) {
    super();
    this.stream = stream;
    stream.on('data', (chunk: Buffer) => { if (!this.#isDiverted) this.write(chunk); });
    stream.on('end', () => this.end());
  }

  /** readline's; while a console has the terminal, that is its own affair */
  setRawMode(isRaw: boolean): this {
    this.stream.setRawMode?.(isRaw);
    return this;
  }

  override pause(): this {
    if (!this.#isDiverted) this.stream.pause();
    return super.pause();
  }

  override resume(): this {
    this.stream.resume();
    return super.resume();
  }

  divert(): () => void {
    this.#isDiverted = true;
    return () => {
      this.#isDiverted = false;
      this.stream.resume();
    };
  }
}
