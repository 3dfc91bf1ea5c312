import type { Script } from 'node:vm';
import { ZABBIX_PATTERN_AGAIN, ZABBIX_PATTERN_TIME, ZABBIX_PATTERN_TRIES, ZABBIX_PATTERN_VALUE, ZABBIX_PATTERNS_LATE } from '../../../kit/zabbix-limits.js';
import { translatePattern } from './pattern-syntax.js';
import { CannotPreprocess } from './variant.js';

/**
 * A regular expression that cannot hold up the process: some of them take for ever with some values. One that may is
 * watched, and ended after some milliseconds; after some such ends it is not tried any more.
 */
export class Pattern {
  readonly #pattern: string;
  readonly #expression: RegExp;
  readonly #unwatched: number;
  /** how often it was ended, one time after the other */
  #ended = 0;

  /** @param isMultiline `^` and `$` are also at the ends of lines @throws CannotPreprocess where it is none, or one that cannot be done here */
  constructor(pattern: string, { isMultiline }: { readonly isMultiline: boolean }) {
    const { source, flags, unwatched } = translatePattern(pattern, isMultiline);
    this.#pattern = pattern;
    this.#unwatched = unwatched;
    try {
      this.#expression = new RegExp(source, flags);
    } catch {
      throw this.#fault('it is none that can be read');
    }
  }

  /** @returns the match and its groups; null: none @throws CannotPreprocess where it takes too long, or cannot be tried */
  match(text: string): readonly (string | undefined)[] | null {
    if (text.length > ZABBIX_PATTERN_VALUE) throw this.#fault(`the value is longer than ${ZABBIX_PATTERN_VALUE} characters`);
    if (text.length <= this.#unwatched) return this.#unwatchedMatch(text);
    if (this.#ended >= ZABBIX_PATTERN_TRIES) throw this.#fault('it has taken too long, and is not tried any more');
    if (watch.isTired) throw this.#fault('others have taken too long');
    try {
      const match = watch.match(this.#expression, text);
      this.#ended = 0;
      return match;
    } catch {
      this.#ended += 1;
      throw this.#fault('it has taken too long');
    }
  }

  #unwatchedMatch(text: string): readonly (string | undefined)[] | null {
    try {
      return this.#expression.exec(text);
    } catch {
      throw this.#fault('it is too large');
    }
  }

  #fault(reason: string): CannotPreprocess {
    return new CannotPreprocess(`the regular expression ${JSON.stringify(this.#pattern.slice(0, 200))}: ${reason}`);
  }
}

const MINUTE = 60_000;

interface Watched {
  readonly context: { re: RegExp | undefined; text: string };
  readonly script: Script;
}

/** Runs expressions for a limited time. */
class Watch {
  #watched: Watched | undefined;
  /** when expressions were ended, by performance.now() */
  #ended: number[] = [];

  /** So many were ended of late that no further one is to be tried: each has held up all else. */
  get isTired(): boolean {
    const since = performance.now() - MINUTE;
    this.#ended = this.#ended.filter((at) => at > since);
    return this.#ended.length >= ZABBIX_PATTERNS_LATE;
  }

  /** Where the machine was so busy that it was hardly at work in its time, it is tried again. @throws where it takes too long */
  match(expression: RegExp, text: string): readonly (string | undefined)[] | null {
    const { context, script } = this.#watched ??= prepared();
    context.re = expression;
    context.text = text;
    try {
      for (let left = ZABBIX_PATTERN_AGAIN; ; left -= 1) {
        const began = process.cpuUsage();
        try {
          return script.runInContext(context, { timeout: ZABBIX_PATTERN_TIME }) as readonly (string | undefined)[] | null;
        } catch (error) {
          const { user, system } = process.cpuUsage(began);
          if (left === 0 || (user + system) / 1000 > ZABBIX_PATTERN_TIME / 2) throw error;
        }
      }
    } catch (error) {
      this.#ended.push(performance.now());
      throw error;
    } finally {
      context.text = '';
    }
  }
}

const watch = new Watch();

function prepared(): Watched {
  // only now: few need it
  const vm = process.getBuiltinModule('node:vm');
  return { context: vm.createContext({ re: undefined, text: '' }) as Watched['context'], script: new vm.Script('re.exec(text)') };
}
