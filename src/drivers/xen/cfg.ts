/** A value in a domain's configuration file: text (numbers too), or a list. */
export type CfgValue = string | readonly CfgValue[];

/** Where a configuration file breaks xl's grammar. */
export class CfgError extends Error {
  /** @param line counted from 1 */
  constructor(readonly line: number, message: string) {
    super(`line ${line}: ${message}`);
  }
}

/** Lists within lists; xl itself uses two. */
const MAX_DEPTH = 8;

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"', "'": "'", '\\': '\\', a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v',
};

type Token =
  | { readonly kind: 'name' | 'text'; readonly value: string; readonly line: number }
  | { readonly kind: 'mark' | 'newline' | 'end'; readonly value: string; readonly line: number };

const TOKENS = /[ \t]+|(?<newline>(?:#[^\n]*)?\n)|(?<name>[a-z][_0-9a-z]*)|(?<number>[0-9][0-9a-fx]*)|(?<mark>\+=|[,;=[\]])|(?<quoted>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")/y;

function tokens(source: string): Token[] {
  const found: Token[] = [];
  let line = 1;
  for (let at = 0; at < source.length;) {
    TOKENS.lastIndex = at;
    const match = TOKENS.exec(source);
    if (!match && source[at] === '#') throw new CfgError(line, 'xl refuses a comment that no line break ends');
    if (!match) throw new CfgError(line, `${JSON.stringify(source.slice(at, at + 12).split('\n')[0])} is not understood`);
    at = TOKENS.lastIndex;
    const { newline, name, number, mark, quoted } = match.groups ?? {};
    if (newline !== undefined) found.push({ kind: 'newline', value: 'the end of the line', line: line++ });
    else if (name !== undefined) found.push({ kind: 'name', value: name, line });
    else if (number !== undefined) found.push({ kind: 'text', value: number, line });
    else if (mark !== undefined) found.push({ kind: 'mark', value: mark, line });
    else if (quoted !== undefined) found.push({ kind: 'text', value: unquote(quoted, line), line });
  }
  found.push({ kind: 'end', value: 'the end of the file', line });
  return found;
}

function unquote(quoted: string, line: number): string {
  return quoted.slice(1, -1).replace(/\\(.)/gs, (_, letter: string) => {
    const meant = ESCAPES[letter];
    if (meant === undefined) throw new CfgError(line, `\\${letter} in quotes is not understood`);
    return meant;
  });
}

class Parser {
  readonly #settings = new Map<string, CfgValue>();
  #position = 0;
  readonly #tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Map<string, CfgValue> {
    while (this.#peek().kind !== 'end') {
      if (this.#endOfStatement()) continue;
      this.#assignment();
      if (this.#peek().kind !== 'end' && !this.#endOfStatement()) this.#unexpected();
    }
    return this.#settings;
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#position, this.#tokens.length - 1)]!;
  }

  #unexpected(): never {
    throw new CfgError(this.#peek().line, `${JSON.stringify(this.#peek().value)} is not expected here`);
  }

  #mark(value: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'mark' || token.value !== value) return false;
    this.#position += 1;
    return true;
  }

  #endOfStatement(): boolean {
    if (this.#mark(';')) return true;
    if (this.#peek().kind !== 'newline') return false;
    this.#position += 1;
    return true;
  }

  #blankLines(): void {
    while (this.#peek().kind === 'newline') this.#position += 1;
  }

  #assignment(): void {
    const name = this.#peek();
    if (name.kind !== 'name') this.#unexpected();
    this.#position += 1;
    if (this.#mark('=')) {
      this.#settings.set(name.value, this.#value(0));
      return;
    }
    if (!this.#mark('+=')) this.#unexpected();
    this.#settings.set(name.value, joined(this.#settings.get(name.value), this.#value(0), name.line));
  }

  #value(depth: number): CfgValue {
    const token = this.#peek();
    if (token.kind === 'text') {
      this.#position += 1;
      return token.value;
    }
    if (!this.#mark('[')) this.#unexpected();
    if (depth === MAX_DEPTH) throw new CfgError(token.line, 'too many lists within lists');
    const list: CfgValue[] = [];
    this.#blankLines();
    while (!this.#mark(']')) {
      list.push(this.#value(depth + 1));
      this.#blankLines();
      if (this.#mark(',')) this.#blankLines();
      else if (this.#peek().value !== ']') this.#unexpected();
    }
    return list;
  }
}

function joined(before: CfgValue | undefined, added: CfgValue, line: number): CfgValue {
  if (before === undefined) return added;
  if (typeof before === 'string' && typeof added === 'string') return before + added;
  if (typeof before !== 'string' && typeof added !== 'string') return [...before, ...added];
  throw new CfgError(line, 'a list cannot be added to a text, nor a text to a list');
}

/**
 * Reads a domain's configuration in the language of xl (xl.cfg(5), libxlu's grammar): assignments of
 * quoted texts, numbers and lists; `+=`; comments. It looks like Python but is not run.
 * @throws CfgError with the line, for whatever xl would refuse too
 */
export function parseCfg(source: string): ReadonlyMap<string, CfgValue> {
  return new Parser(tokens(source)).parse();
}

/** One `vif` of a configuration. */
export interface Vif {
  readonly mac?: string;
  readonly ips: readonly string[];
  /** its interface's name in domain 0, where not vif<domid>.<n> */
  readonly ifname?: string;
}

/** One `disk` of a configuration. */
export interface DiskSpec {
  /** device name inside the guest */
  readonly vdev: string;
  /** path on the host; empty for a drive without a medium */
  readonly path: string;
  /** image format, where it is said */
  readonly format?: string;
  /** a script that attaches it, as for iSCSI or DRBD: then `path` is no path */
  readonly script?: string;
}

/** What a domain's configuration says of it, as far as it matters here. */
export interface Definition {
  readonly name: string;
  readonly uuid?: string;
  readonly vcpus: number;
  /** bytes */
  readonly memory?: bigint;
  /** pv, hvm or pvh */
  readonly type: string;
  readonly vifs: readonly Vif[];
  readonly disks: readonly DiskSpec[];
}

const MIB = 1024n * 1024n;

/** A name without the blanks that `xl list` fills its column up with. Nothing else is taken off: other blanks of Unicode tell one domain from another. */
export const withoutPadding = (name: string): string => name.replace(/ +$/, '');

/**
 * Understands a configuration file.
 * @throws CfgError for what breaks the grammar, and for a file without a name
 */
export function parseDefinition(source: string): Definition {
  const settings = parseCfg(source);
  const name = withoutPadding(textOf(settings.get('name')) ?? '');
  if (!name) throw new CfgError(1, 'there is no `name = …`');
  const uuid = textOf(settings.get('uuid'));
  const memory = /^\d{1,9}$/.exec(textOf(settings.get('memory')) ?? '')?.[0];
  return {
    name,
    ...(uuid !== undefined && { uuid }),
    vcpus: Number(textOf(settings.get('vcpus')) ?? textOf(settings.get('maxvcpus')) ?? 1) || 1,
    ...(memory !== undefined && { memory: BigInt(memory) * MIB }),
    type: textOf(settings.get('type')) ?? (textOf(settings.get('builder')) === 'hvm' ? 'hvm' : 'pv'),
    vifs: listOf(settings.get('vif')).map(parseVif),
    disks: listOf(settings.get('disk')).map(parseDisk),
  };
}

function textOf(value: CfgValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function listOf(value: CfgValue | undefined): string[] {
  return typeof value === 'object' ? value.filter((item) => typeof item === 'string') : [];
}

/** xl-network-configuration(5): `mac=…,ip=…,bridge=…`; old files name several addresses with blanks between. */
export function parseVif(spec: string): Vif {
  const pairs = new Map(spec.split(',').map((part) => {
    const [key = '', ...rest] = part.split('=');
    return [key.trim(), rest.join('=').trim()] as const;
  }));
  const mac = pairs.get('mac')?.toLowerCase();
  const ifname = pairs.get('vifname');
  return {
    ...(mac && { mac }),
    ips: (pairs.get('ip') ?? '').split(/\s+/).filter((ip) => ip !== ''),
    ...(ifname && { ifname }),
  };
}

/** Prefixes of old disk specifications that say nothing of the format. */
const TRANSPORTS = /^(?:tapdisk|tap2?|aio|ioemu|file|phy):/;
const FORMATS = /^(raw|qcow2?|vhd):/;
const SCRIPTED = /^(iscsi|e?nbd|drbd):/;
const KEYS = new Set(['format', 'access', 'backend', 'backendtype', 'vdev', 'script', 'devtype']);

/**
 * xl-disk-configuration(5): `target,format,vdev,access` in this order, or as `key=value`, of which
 * `target=` takes the rest of the text; and the old `phy:/dev/x,xvda,w`, which has no format.
 */
export function parseDisk(spec: string): DiskSpec {
  const given = new Map<string, string>();
  const positional: string[] = [];
  let rest = spec.trim();
  const prefixed = (['format', 'script'] as const).some((key) => {
    const prefix = (key === 'format' ? FORMATS : SCRIPTED).exec(rest)?.[1];
    if (prefix) given.set(key, prefix);
    return prefix !== undefined;
  }) || TRANSPORTS.test(rest);
  while (TRANSPORTS.test(rest) || FORMATS.test(rest) || SCRIPTED.test(rest)) {
    const format = FORMATS.exec(rest)?.[1];
    if (format) given.set('format', format);
    rest = rest.slice(rest.indexOf(':') + 1);
  }
  while (rest !== '') {
    const target = /^\s*target=(.*)$/s.exec(rest)?.[1];
    if (target !== undefined) {
      given.set('target', target);
      break;
    }
    const comma = rest.indexOf(',');
    const part = (comma < 0 ? rest : rest.slice(0, comma)).trim();
    rest = comma < 0 ? '' : rest.slice(comma + 1);
    const [key = '', value] = part.split(/=(.*)/s);
    if (value !== undefined && KEYS.has(key)) given.set(key, value);
    else if (value === undefined && !/^(cdrom|discard|no-discard|direct-io-safe|colo|no-colo)$/.test(part)) positional.push(part);
  }
  return assembled(given, positional, prefixed);
}

function assembled(given: ReadonlyMap<string, string>, positional: string[], prefixed: boolean): DiskSpec {
  const path = given.get('target') ?? positional.shift() ?? '';
  // `,hdc:cdrom,r` names an empty drive: there the format is left out too.
  const second = prefixed || given.has('format') || (path === '' && /:(?:cdrom|disk)$/.test(positional[0] ?? '')) ? undefined : positional.shift();
  const format = given.get('format') ?? second;
  const vdev = (given.get('vdev') ?? positional.shift() ?? '').replace(/:(?:cdrom|disk)$/, '');
  const script = given.get('script');
  return { vdev, path, ...(format && { format }), ...(script && { script }) };
}
