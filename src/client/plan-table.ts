import { harmless } from '../kit/text.js';
import { bar, REFRESH } from './progress.js';
import type { Output } from './output.js';
import type { PlanLine, RunLine, StageLine } from './plan-lines.js';

/** Columns of a bar, where there is room for it. */
const BAR = 20;
const NAME_MOST = 24;

const [HIDE_CURSOR, SHOW_CURSOR, ERASE_LINE, ERASE_BELOW, CLEAR_SCREEN] = ['\u001b[?25l', '\u001b[?25h', '\u001b[K', '\u001b[J', '\u001b[H\u001b[2J'];
const COLORS: Readonly<Record<string, string>> = { done: '32', failed: '31', cancelled: '31', unknown: '31', running: '36', settling: '36', pausing: '36', asking: '33' };

/** Columns that a text takes at most: what is not ASCII may take two. */
const widthOf = (text: string): number => [...text].reduce((sum, character) => sum + (character > '\u007e' ? 2 : 1), 0);

/** A text in so many columns at most. */
function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let [short, left] = ['', columns - 1];
  for (const character of text) {
    left -= widthOf(character);
    if (left < 0) break;
    short += character;
  }
  return `${short}~`;
}

/** `12:03`, `1:00:03` */
function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${seconds >= 3600 ? `${Math.floor(seconds / 3600)}:` : ''}${two(seconds / 60 % 60)}:${two(seconds % 60)}`;
}

/**
 * A run on a terminal, drawn in place: a line for the run and one for each stage, within the height and
 * width that there is. What has failed is printed above it and stays.
 */
export class PlanTable {
  #run: RunLine | undefined;
  readonly #stages = new Map<string, StageLine>();
  readonly #failures = new Map<string, string>();
  /** failures that are to be printed above the table */
  #news: string[] = [];
  /** lines that are on the screen */
  #drawn = 0;
  #drawnAt = -Infinity;
  #resized = false;
  #turn: Promise<void> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;
  readonly #forget: () => void;
  readonly #terminal: Output;
  readonly #colors: boolean;

  constructor(terminal: Output, colors: boolean) {
    this.#terminal = terminal;
    this.#colors = colors;
    this.#forget = terminal.onResize(() => {
      this.#resized = true;
      this.#redraw();
    });
    this.#timer = setInterval(() => this.#redraw(), 1000);
  }

  take(line: PlanLine): void {
    if (line.type === 'run') this.#run = line;
    else if (line.type === 'stage') this.#stages.set(line.stage, line);
    else if (line.state === 'failed' || line.state === 'uncertain') this.#fail(`${line.instance}: ${line.detail || line.state}`, `${line.stage} ${line.instance}`);
  }

  #fail(words: string, key: string): void {
    if (this.#failures.get(key) === words) return;
    this.#failures.set(key, words);
    this.#news.push(words);
  }

  /** @param isDue draws also where that was done a moment ago @throws BrokenPipe */
  draw(isDue = false): Promise<void> {
    if (!isDue && performance.now() - this.#drawnAt < REFRESH) return this.#turn;
    this.#drawnAt = performance.now();
    return this.#turn = this.#turn.then(() => this.#write());
  }

  /** Draws it for the last time and gives the cursor back. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#forget();
    await this.draw(true);
    await this.#terminal.write(SHOW_CURSOR);
  }

  /** What goes wrong is told to whoever draws next. */
  #redraw(): void {
    this.draw(true).catch(() => undefined);
  }

  async #write(): Promise<void> {
    if (this.#run === undefined) return;
    const { columns, rows } = this.#terminal;
    const lines = this.#lines(this.#run, columns - 1, Math.max(2, rows - 1));
    const news = this.#news.map((words) => cut(harmless(words), columns - 1));
    this.#news = [];
    // what a terminal does with lines that were wider than it is now nobody knows: it begins anew
    const back = this.#resized ? CLEAR_SCREEN : this.#drawn > 0 ? `\u001b[${this.#drawn}A\r` : '';
    this.#resized = false;
    this.#drawn = lines.length;
    // in one piece, each line over what was there: nothing flickers
    await this.#terminal.write(`${HIDE_CURSOR}${back}${[...news, ...lines].map((line) => `${line}${ERASE_LINE}\n`).join('')}${ERASE_BELOW}`);
  }

  #lines(run: RunLine, columns: number, rows: number): string[] {
    const stages = [...this.#stages.values()];
    const room = rows - 1;
    const shown = stages.length <= room ? stages : this.#chosen(stages, room - 1);
    const width = Math.min(NAME_MOST, Math.max(...shown.map(({ stage }) => widthOf(harmless(stage))), 5));
    const lines = [this.#head(run, columns), ...shown.map((stage) => this.#stageLine(stage, width, columns))];
    if (shown.length < stages.length) lines.push(cut(summary(stages.filter((stage) => !shown.includes(stage))), columns));
    return lines;
  }

  /** Where there is no room for all: those at work first, then those that come next, in their order. */
  #chosen(stages: readonly StageLine[], room: number): StageLine[] {
    const rank = ({ state }: StageLine): number => (state === 'running' || state === 'settling' || state === 'pausing' ? 0 : state === 'failed' ? 1 : state === 'waiting' ? 2 : 3);
    const chosen = new Set([...stages].sort((one, other) => rank(one) - rank(other)).slice(0, Math.max(0, room)));
    return stages.filter((stage) => chosen.has(stage));
  }

  #head({ plan, run, state, facts: { began = '', ended, deadline, reason }, targets }: RunLine, columns: number): string {
    const now = ended === undefined ? Date.now() : Date.parse(ended);
    const left = deadline === undefined || ended !== undefined ? '' : `, ${clock(Date.parse(deadline) - now)} left`;
    const failed = targets.failed > 0 ? `, ${targets.failed} failed` : '';
    const text = `${plan} ${run} ${state}  ${targets.ended}/${targets.all}${failed}  ${clock(now - Date.parse(began))}${left}${reason === undefined ? '' : `  ${reason}`}`;
    return this.#colored(cut(harmless(text), columns), state);
  }

  #stageLine({ stage, state, targets, after, reason }: StageLine, width: number, columns: number): string {
    const name = cut(harmless(stage), width);
    const waits = state === 'waiting' ? after.filter((one) => !isOver(this.#stages.get(one))) : [];
    const words = reason ?? (waits.length > 0 ? `waits for ${waits.join(', ')}` : '');
    const figures = `${targets.ended}/${targets.all}`.padStart(9);
    const failed = targets.failed > 0 ? `  ${targets.failed} failed` : '';
    const drawn = columns >= width + BAR + 30 ? ` ${bar(targets.ended, targets.all, BAR)}` : '';
    const padded = `${name}${' '.repeat(Math.max(0, width - widthOf(name)))}`;
    return this.#colored(cut(`${padded}${drawn} ${figures}${failed}  ${state}${words === '' ? '' : `  ${harmless(words)}`}`, columns), state);
  }

  #colored(text: string, state: string): string {
    const color = this.#colors ? COLORS[state] : undefined;
    return color === undefined ? text : `\u001b[${color}m${text}\u001b[0m`;
  }
}

const isOver = (stage: StageLine | undefined): boolean => stage !== undefined && ['done', 'failed', 'skipped', 'cancelled'].includes(stage.state);

/** `… and 12 more: 5 done, 7 waiting` */
function summary(stages: readonly StageLine[]): string {
  const counts = new Map<string, number>();
  for (const { state } of stages) counts.set(state, (counts.get(state) ?? 0) + 1);
  return `and ${stages.length} more: ${[...counts].map(([state, count]) => `${count} ${harmless(state)}`).join(', ')}`;
}
