import type { ServerResponse } from 'node:http';
import type { FaultName } from './soap-faults.js';

/** What is to go wrong with a request, from the network's cut to the service's refusal. */
export type Fault =
  /** refused; what was asked is done all the same in the second case */
  | { readonly kind: 'refuse' | 'refuse after'; readonly fault: FaultName }
  /** an HTTP status and nothing else; what was asked is done in the second case, as behind a proxy */
  | { readonly kind: 'bare' | 'bare after'; readonly status: number }
  /** cut off before it was carried out, after that, or in the middle of the answer */
  | { readonly kind: 'cut' | 'cut after' | 'half' }
  /** no answer ever comes; what was asked is done in the second case */
  | { readonly kind: 'silent' | 'silent after' }
  /** 50 MB of instances; entities that grow without end; a file of ours as an entity; a page of HTML; an answer to something else */
  | { readonly kind: 'huge' | 'bomb' | 'entity' | 'page' | 'stranger' }
  /** a Pull that gives nothing and says that there is more */
  | { readonly kind: 'endless' }
  | { readonly kind: 'slow'; readonly ms: number };

interface Planned {
  readonly on: string;
  readonly fault: Fault;
  left: number;
}

/** Faults that wait for the requests that they are meant for. */
export class Faults {
  readonly #planned: Planned[] = [];

  /**
   * @param on `Get`, `Enumerate`, `Pull`, `Release`, `Identify`, the name of a class, of a method or of a namespace, or `*`
   * @param times how many such requests it meets
   */
  add(on: string, fault: Fault, times = 1): void {
    this.#planned.push({ on: on.toLowerCase(), fault, left: times });
  }

  /** Faults that no request has met yet. */
  get waiting(): number {
    return this.#planned.reduce((sum, { left }) => sum + left, 0);
  }

  clear(): void {
    this.#planned.length = 0;
  }

  /** @param names what a request is known by */
  take(names: readonly string[]): Fault | undefined {
    const known = names.map((name) => name.toLowerCase());
    const found = this.#planned.find(({ on, left }) => left > 0 && (on === '*' || known.includes(on)));
    if (found) found.left -= 1;
    return found?.fault;
  }
}

const HUGE = 50 * 1024 * 1024;
const BOMB = `<!DOCTYPE x [<!ENTITY a "ha">${Array.from({ length: 20 }, (_, index) => `<!ENTITY ${'abcdefghijklmnopqrstu'[index + 1]} "${`&${'abcdefghijklmnopqrstu'[index]};`.repeat(10)}">`).join('')}]>`;

/** An answer that is none. @param answer what would be right */
export function spoil(kind: 'huge' | 'bomb' | 'entity' | 'page' | 'stranger', answer: string, response: ServerResponse): void {
  const soap = { 'content-type': 'application/soap+xml;charset=UTF-8' };
  switch (kind) {
    case 'huge': {
      response.writeHead(200, soap);
      const [head, tail] = answer.split('</s:Header>') as [string, string];
      response.write(`${head}<x:Filler xmlns:x="urn:x">`);
      const part = '<x:f>0123456789</x:f>'.repeat(3000);
      let sent = 0;
      const fill = (): void => {
        while (sent < HUGE) {
          sent += part.length;
          if (!response.write(part)) return void response.once('drain', fill);
        }
        response.end(`</x:Filler></s:Header>${tail}`);
      };
      return fill();
    }
    case 'bomb': return void response.writeHead(200, soap).end(`${BOMB}${answer.replace(/(<s:Body>.*?>)/, '$1<x>&u;</x>')}`);
    case 'entity': return void response.writeHead(200, soap).end(`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${answer.replace(/(<s:Body>.*?>)/, '$1<x>&e;</x>')}`);
    case 'page': return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Welcome to IIS</body></html>');
    case 'stranger': return void response.writeHead(200, soap).end(answer.replace(/<a:RelatesTo>.*?<\/a:RelatesTo>/, '<a:RelatesTo>uuid:00000000-0000-0000-0000-000000000000</a:RelatesTo>'));
  }
}
