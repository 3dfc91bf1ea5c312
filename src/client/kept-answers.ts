import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How long after a server was asked it is not asked again, whatever came of it, in milliseconds. */
const ASK_AGAIN = 5000;
/** How long it is not asked again after it has refused a login, in milliseconds: each is a failed one more, for which it may lock the account. */
const REFUSED_FOR = 5 * 60 * 1000;
/** How far the clock of a file may be ahead of ours, in milliseconds: it may be that of a server of files. */
const AHEAD = 60_000;
/** How long answers are of use while no newer ones are to be had, in milliseconds: machines come and go. */
const LONGEST = 24 * 60 * 60 * 1000;
/** Of one answer this much is kept, in characters; a Tab has to read all of it. */
const MOST = 512 * 1024;
/** A file that is larger is none of ours, in bytes. */
const LARGEST = 16 * 1024 * 1024;
/** What is the owner's alone has none of these. */
const OTHERS = 0o077;
const OUR_FILE = /^completion-[0-9a-f]{32}(?:\.|$)/;

/** Whom a server told something. */
export interface Whose {
  /** its endpoint */
  readonly server: string;
  /** empty for somebody who has not logged in */
  readonly account: string;
  /** how the server proves that it is the one: what another has told at the same place is not taken for its words */
  readonly trust: string;
}

/** The lines of answers, by what was asked. */
export type Answers = Readonly<Record<string, readonly string[]>>;

/**
 * What a server told an account, in a file that only its owner may read: each Tab in a shell is a process of its own, which
 * cannot log in each time. Nobody else's answers are ever read from it. A folder that cannot be used is as good as none.
 */
export class KeptAnswers {
  readonly #folder: string;
  readonly #file: string;
  readonly #whose: Whose;

  constructor(folder: string, { server, account, trust }: Whose) {
    this.#folder = folder;
    this.#whose = { server, account, trust };
    this.#file = join(folder, `completion-${createHash('sha256').update(JSON.stringify([server, account, trust])).digest('hex').slice(0, 32)}`);
  }

  /** @returns undefined where there is nothing that could be offered; `at` is when it was told, in milliseconds */
  read(): { readonly answers: Answers; readonly isFresh: boolean; readonly at: number } | undefined {
    let handle: number | undefined;
    try {
      handle = openSync(this.#file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const facts = fstatSync(handle);
      const age = ageOf(facts);
      if (
        !facts.isFile()
        || facts.uid !== process.geteuid?.()
        || (facts.mode & OTHERS) !== 0
        || facts.size > LARGEST
        || age < 0
        || age > LONGEST
      )
        return undefined;
      const answers = readAnswers(readFileSync(handle, 'utf8'), this.#whose);
      return answers && { answers, isFresh: age < ASK_AGAIN, at: facts.mtimeMs };
    } catch {
      return undefined;
    } finally {
      if (handle !== undefined) closeSync(handle);
    }
  }

  /** Keeps answers in place of others. @param at when the oldest of them was told, in milliseconds; left out: now */
  write(answers: Answers, at?: number): void {
    const next = `${this.#file}.${process.pid}`;
    try {
      writeFileSync(next, JSON.stringify({ ...this.#whose, answers }), { mode: 0o600, flag: 'wx' });
      if (at !== undefined) utimesSync(next, at / 1000, at / 1000);
      renameSync(next, this.#file);
      remove(this.#refused);
    } catch {
      remove(next);
    }
  }

  /** The server is not the one that it was: what it told is nothing to go by. */
  forget(): void {
    remove(this.#file);
  }

  /** The server does not let us in any more: what it told is not ours to know, and for a while it is not asked. */
  refuse(): void {
    this.forget();
    try {
      mark(this.#refused);
    } catch {
      // then nobody has had a turn
    }
  }

  /**
   * Takes it on to ask the server, and sweeps out what is too old to be of use, whoever's it is.
   * @returns false where somebody did a moment ago, or where that could not be marked: each Tab would ask anew, and start a process
   */
  takeTurn(): boolean {
    const asked = `${this.#file}.asked`;
    try {
      if (isWithin(this.#refused, REFUSED_FOR) || isWithin(asked, ASK_AGAIN)) return false;
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      this.#sweep();
      mark(asked);
      return true;
    } catch {
      return false;
    }
  }

  get #refused(): string {
    return `${this.#file}.refused`;
  }

  #sweep(): void {
    for (const name of readdirSync(this.#folder).filter((one) => OUR_FILE.test(one))) {
      const path = join(this.#folder, name);
      const facts = statSync(path, { throwIfNoEntry: false });
      if (facts !== undefined && ageOf(facts) > LONGEST) remove(path);
    }
  }
}

/** Milliseconds; less than 0 where the clock was put back. The time of a file is finer than that of the clock. */
function ageOf({ mtimeMs }: { readonly mtimeMs: number }): number {
  const age = Date.now() - Math.floor(mtimeMs);
  return age < 0 && age >= -AHEAD ? 0 : age;
}

/** Whether a mark was made, and less than so many milliseconds ago. */
function isWithin(path: string, ms: number): boolean {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts !== undefined && ageOf(facts) >= 0 && ageOf(facts) < ms;
}

/** Makes a mark of this moment. @throws where somebody else just did, or nobody can */
function mark(path: string): void {
  rmSync(path, { force: true });
  writeFileSync(path, '', { mode: 0o600, flag: 'wx' });
}

/** What cannot be removed is somebody else's, and not read either. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    return;
  }
}

/** Of lines as many as are kept of one answer. */
export function mostOf(lines: readonly string[]): readonly string[] {
  let size = 0;
  let count = 0;
  for (; count < lines.length; count += 1) {
    size += lines[count]!.length + 1;
    if (size > MOST) break;
  }
  return lines.slice(0, count);
}

/** @returns undefined for what is not as we have written it, or not for this account */
function readAnswers(text: string, { server, account, trust }: Whose): Answers | undefined {
  const kept = JSON.parse(text) as Partial<Whose & { answers: unknown }> | null;
  if (kept?.server !== server || kept.account !== account || kept.trust !== trust || typeof kept.answers !== 'object' || kept.answers === null) return undefined;
  const isWhole = Object.values(kept.answers).every((lines) => Array.isArray(lines) && lines.every((line) => typeof line === 'string'));
  return isWhole ? kept.answers as Answers : undefined;
}
