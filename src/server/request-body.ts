import { closeClass } from '../kit/closed.js';
import { ArgoError } from '../kit/errors.js';
import { Listing } from '../instances/listing.js';
import type { Body } from '../plugins/host/contract.js';
import type { Reply } from './reply.js';

/** The body as a command gets it: it can neither end the reply, nor change what other commands have made ready. */
export class RequestBody implements Body {
  readonly #reply: Reply;
  readonly #word: string;

  constructor(reply: Reply, word: string) {
    this.#reply = reply;
    this.#word = word;
  }

  line(text: string): void {
    this.#reply.line(text);
  }

  lines(texts: Iterable<string>): void | Promise<void> {
    return this.#reply.lines(texts);
  }

  unchanged(source: object, part: string, texts: () => Iterable<string>): void {
    const lasting = source instanceof Listing ? Listing.lasting(source) : source;
    if (lasting === undefined) throw new ArgoError('INTERNAL ERROR', 'this listing changes with every request');
    this.#reply.unchanged(lasting, this.#word, part, texts);
  }
}

closeClass(RequestBody);
