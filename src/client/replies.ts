import { trimmed } from '../kit/text.js';

/** What a server says in answer to one request, piece by piece. */
export type ReplyEvent =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'body'; readonly text: string }
  /** the note is what the server adds for people: which names may be out of date */
  | { readonly kind: 'done'; readonly note: string }
  | { readonly kind: 'error'; readonly phrase: string; readonly detail: string };

/** Bytes of one line of a reply; more is no Argo server, and must not fill memory. */
const MAX_REPLY_LINE = 1024 * 1024;

const LF = 0x0a;

/** The bytes are not those of the line protocol. */
export class ReplyFault extends Error {}

/** Whether an event ends its reply. */
export const isEnd = (event: ReplyEvent): boolean => event.kind === 'done' || event.kind === 'error';

/** The lines of a reply in what has come of it. */
export const bodyOf = (batch: readonly ReplyEvent[]): string[] => batch.flatMap((event) => (event.kind === 'body' ? [event.text] : []));

/** The phrase and the detail of `PHRASE: detail`. */
export function splitReason(text: string): { phrase: string; detail: string } {
  const colon = text.indexOf(': ');
  return colon === -1 ? { phrase: text, detail: '' } : { phrase: text.slice(0, colon), detail: text.slice(colon + 2) };
}

/**
 * Takes the bytes of a connection in chunks of any size and gives the replies in them (line
 * protocol, "Replies"). Lines end in LF or CRLF.
 */
export class ReplyParser {
  #parts: Buffer[] = [];
  #held = 0;
  #inBody = false;

  /** @throws ReplyFault for an endless line, or one where a reply must begin and none does */
  push(chunk: Buffer): ReplyEvent[] {
    const events: ReplyEvent[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      events.push(this.#line(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
    return events;
  }

  #hold(part: Buffer): void {
    this.#held += part.length;
    if (this.#held > MAX_REPLY_LINE) throw new ReplyFault(`a line is longer than ${MAX_REPLY_LINE} bytes`);
    this.#parts.push(part);
  }

  #line(last: Buffer): ReplyEvent {
    this.#hold(last);
    const bytes = this.#parts.length === 1 ? last : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#held = 0;
    const text = bytes.toString('utf8');
    return this.#event(text.endsWith('\r') ? text.slice(0, -1) : text);
  }

  #event(line: string): ReplyEvent {
    const [, code, comment = ''] = /^([234]00)(?: (.*))?$/s.exec(line) ?? [];
    if (code === '300' || code === '400') {
      this.#inBody = false;
      return code === '300' ? { kind: 'done', note: splitReason(trimmed(comment)).detail } : { kind: 'error', ...splitReason(trimmed(comment)) };
    }
    if (this.#inBody) return { kind: 'body', text: /^ [234]00( |$)/.test(line) ? line.slice(1) : line };
    if (code === undefined) throw new ReplyFault('a reply begins with neither 200 nor 400');
    this.#inBody = true;
    return { kind: 'accepted' };
  }
}
