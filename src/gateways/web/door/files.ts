import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { packageFile } from '../../../kit/own-files.js';
import { nothingHere, wrongMethod } from '../refusals.js';
import { accepts } from './answers.js';

/** The page: what the build has put into dist/web, and nothing else. No path of a request becomes one of a file. */

/** As scripts/web.js writes it into manifest.json. */
interface Entry {
  /** as it is asked for */
  readonly path: string;
  /** below dist/web, with `.br` and `.gz` beside it */
  readonly file: string;
  readonly type: string;
  readonly hash: string;
  /** its hash is in its name */
  readonly immutable: boolean;
}

/** Which encodings there are, the best first; the last is none. */
const ENCODINGS = [['br', '.br'], ['gzip', '.gz'], [undefined, '']] as const;

/** What documents may load: only what is our own, and nothing that stands in the document itself. noVNC draws from `data:`. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'";

const YEAR_S = 31_536_000;

interface Served extends Entry {
  readonly contents: Map<string, Promise<Buffer>>;
}

export class Files {
  readonly #entries: ReadonlyMap<string, Served>;
  /** how long browsers are to come by TLS alone; undefined: they are not told */
  isTlsAlone = false;

  private constructor(entries: readonly Entry[]) {
    this.#entries = new Map(entries.map((entry) => [entry.path, { ...entry, contents: new Map() }]));
  }

  /** @throws Error where the page was not built */
  static async load(): Promise<Files> {
    const file = packageFile('dist', 'web', 'manifest.json');
    const text = await readFile(file, 'utf8').catch((error: Error) => {
      throw new Error(`the page is missing, which \`npm run build\` makes: ${error.message}`, { cause: error });
    });
    return new Files(JSON.parse(text) as Entry[]);
  }

  /** @throws HttpError 404, 405 */
  async answer(request: IncomingMessage, response: ServerResponse, path: string, isTls: boolean): Promise<void> {
    const entry = this.#entries.get(path);
    if (entry === undefined) throw nothingHere();
    if (request.method !== 'GET' && request.method !== 'HEAD') throw wrongMethod('GET', 'HEAD');
    const [encoding, ending] = ENCODINGS.find(([name]) => name === undefined || accepts(request, name))!;
    // each encoding is another representation (RFC 9110, 8.8.3.3)
    const tag = `"${entry.hash}${ending}"`;
    const headers = [...this.#headers(entry, isTls), 'etag', tag, ...(encoding === undefined ? [] : ['content-encoding', encoding])];
    if ((request.headers['if-none-match'] ?? '').split(',').some((one) => one.trim() === tag)) return void response.writeHead(304, headers).end();
    const content = await this.#content(entry, ending);
    response.writeHead(200, [...headers, 'content-length', String(content.length)]);
    response.end(request.method === 'HEAD' ? undefined : content);
  }

  #headers({ type, immutable }: Entry, isTls: boolean): readonly string[] {
    const isDocument = type.startsWith('text/html');
    return [
      'content-type', type, 'cache-control', immutable ? `public, max-age=${YEAR_S}, immutable` : 'no-cache', 'vary', 'accept-encoding',
      'x-content-type-options', 'nosniff', 'cross-origin-resource-policy', 'same-origin',
      ...(isDocument ? ['content-security-policy', POLICY, 'referrer-policy', 'no-referrer', 'cross-origin-opener-policy', 'same-origin'] : []),
      ...(isTls && this.isTlsAlone ? ['strict-transport-security', `max-age=${YEAR_S}`] : []),
    ];
  }

  /** Read once: all of it is less than a few megabytes. */
  #content({ file, contents }: Served, ending: string): Promise<Buffer> {
    let content = contents.get(ending);
    if (content === undefined) {
      content = readFile(packageFile('dist', 'web', `${file}${ending}`));
      contents.set(ending, content);
      content.catch(() => contents.delete(ending));
    }
    return content;
  }
}
