import { FitAddon } from '@xterm/addon-fit';
import { Terminal as Xterm, type ITheme } from '@xterm/xterm';
import type { ConsoleMessage } from '../../gateways/web/messages.js';
import { CONSOLE_LARGEST } from '../../kit/console-limits.js';
import { whenThemeChanges } from '../theme.js';
import { adoptStyles } from './adopted-styles.js';
import type { Display, DisplayUser, SpareKey } from './display.js';

/** A text console, drawn by xterm.js. */

const SCROLLBACK_LINES = 5000;
const FONT_KEY = 'console-font';
const [LEAST_FONT, USUAL_FONT, LARGEST_FONT] = [8, 14, 32] as const;
/** Contrast of text that a machine has chosen the colours of: WCAG 2.2, 1.4.3. */
const CONTRAST = 4.5;

/** Black, red, green, yellow, blue, magenta, cyan, white, and the same bright. */
const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white', 'brightBlack', 'brightRed', 'brightGreen', 'brightYellow', 'brightBlue', 'brightMagenta', 'brightCyan', 'brightWhite'] as const;
const LIGHT = ['#161b22', '#c22b2b', '#18794e', '#8a5a00', '#1f5fd0', '#8b3fb8', '#0f7285', '#5e6878', '#566072', '#d13b3b', '#1d8a5a', '#9a6700', '#3a76e0', '#a04fd0', '#138398', '#868f9c'];
const DARK = ['#2a313b', '#ff7b72', '#4cc38a', '#f0b429', '#7fb0ff', '#d2a8ff', '#56d4dd', '#cdd5df', '#8f9bab', '#ffa198', '#7ee0b1', '#ffd166', '#a9caff', '#e2c5ff', '#8be9ef', '#ffffff'];

/** What a phone's keyboard lacks, or a browser keeps for itself. */
const SPARE: readonly (readonly [label: string, sends: string])[] = [
  ['Esc', '\x1b'], ['Tab', '\t'], ['Enter', '\r'], ['↑', '\x1b[A'], ['↓', '\x1b[B'], ['←', '\x1b[D'], ['→', '\x1b[C'],
  ['Ctrl+C', '\x03'], ['Ctrl+D', '\x04'], ['Ctrl+L', '\x0c'], ['Ctrl+N', '\x0e'], ['Ctrl+R', '\x12'], ['Ctrl+T', '\x14'], ['Ctrl+W', '\x17'], ['Ctrl+Z', '\x1a'], ['Ctrl+]', '\x1d'], ['Ctrl+\\', '\x1c'],
];

const isFont = (size: number): boolean => Number.isInteger(size) && size >= LEAST_FONT && size <= LARGEST_FONT;

export class Terminal implements Display {
  readonly keys: readonly SpareKey[] = SPARE.map(([label, sends]) => ({ label, press: () => this.#press(sends) }));
  /** nothing has come from the machine yet */
  isBlank = true;
  readonly #terminal: Xterm;
  readonly #fit = new FitAddon();
  readonly #host: HTMLElement;
  readonly #socket: WebSocket;
  readonly #watched: ResizeObserver;
  readonly #forgetTheme: () => void;
  readonly #encoder = new TextEncoder();

  /** @param host into which it draws, whose CSS colours it takes */
  constructor(socket: WebSocket, host: HTMLElement, { title }: { readonly title: string }, user: DisplayUser) {
    adoptStyles();
    this.#host = host;
    this.#socket = socket;
    const kept = Number(localStorage.getItem(FONT_KEY));
    const terminal = (this.#terminal = new Xterm({
      fontFamily: getComputedStyle(host).fontFamily,
      fontSize: isFont(kept) ? kept : USUAL_FONT,
      scrollback: SCROLLBACK_LINES,
      minimumContrastRatio: CONTRAST,
      theme: this.#theme(),
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      // what a machine shows leads nowhere
      linkHandler: { activate: () => undefined },
    }));
    terminal.loadAddon(this.#fit);
    terminal.open(host);
    terminal.textarea?.setAttribute('aria-label', title);
    terminal.attachCustomKeyEventHandler((event) => this.#isForMachine(event));
    terminal.onData((text) => this.#send(this.#encoder.encode(text)));
    terminal.onBinary((text) => this.#send(Uint8Array.from(text, (one) => one.charCodeAt(0))));
    terminal.onResize(() => this.#tellSize());
    terminal.onSelectionChange(() => user.changed());
    this.#watched = new ResizeObserver(() => this.#resize());
    this.#watched.observe(host);
    this.#forgetTheme = whenThemeChanges(() => { terminal.options.theme = this.#theme(); });
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => {
      this.#resize();
      this.#tellSize();
    });
    socket.addEventListener('message', ({ data }) => this.#take(data as ArrayBuffer | string, user));
  }

  focus(): void {
    this.#terminal.focus();
  }

  get selection(): string {
    return this.#terminal.getSelection();
  }

  /** Copies what is selected, also where the page came without TLS and so has no clipboard of its own. */
  copy(): void {
    this.#terminal.focus();
    document.execCommand('copy');
  }

  /** @param by points, up or down */
  changeFont(by: number): void {
    const size = this.#terminal.options.fontSize! + by;
    if (!isFont(size)) return;
    this.#terminal.options.fontSize = size;
    localStorage.setItem(FONT_KEY, String(size));
    this.#resize();
  }

  type(text: string): Promise<string> {
    this.#terminal.paste(text);
    return Promise.resolve('');
  }

  close(): void {
    this.#watched.disconnect();
    this.#socket.close();
    this.#terminal.options.disableStdin = true;
    this.#terminal.options.cursorBlink = false;
  }

  /** Shows nothing any longer. */
  remove(): void {
    this.close();
    this.#forgetTheme();
    this.#terminal.dispose();
  }

  #take(data: ArrayBuffer | string, user: DisplayUser): void {
    if (typeof data === 'string') {
      if ((JSON.parse(data) as ConsoleMessage).open) user.opened();
      return;
    }
    if (this.isBlank) {
      this.isBlank = false;
      user.changed();
    }
    try {
      this.#terminal.write(new Uint8Array(data));
    } catch {
      // 50 MB of it wait to be drawn; a browser takes in no faster than that is drawn, as far as has been seen
      user.failed();
    }
  }

  #send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }

  #press(sends: string): void {
    const isArrow = /^\x1b\[[A-D]$/.test(sends);
    this.#terminal.input(isArrow && this.#terminal.modes.applicationCursorKeysMode ? sends.replace('[', 'O') : sends);
  }

  /** Ctrl+Shift+C copies, as in other terminals; the browser has another use for it. */
  #isForMachine(event: KeyboardEvent): boolean {
    if (!event.ctrlKey || !event.shiftKey || event.code !== 'KeyC') return true;
    event.preventDefault();
    if (event.type === 'keydown') this.copy();
    return false;
  }

  #resize(): void {
    const { cols, rows } = this.#fit.proposeDimensions() ?? {};
    if (cols === undefined || rows === undefined || Number.isNaN(cols) || Number.isNaN(rows)) return;
    this.#terminal.resize(Math.min(cols, CONSOLE_LARGEST), Math.min(rows, CONSOLE_LARGEST));
  }

  #tellSize(): void {
    const { cols: columns, rows } = this.#terminal;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ columns, rows }));
  }

  #theme(): ITheme {
    const { color: foreground, backgroundColor: background, caretColor: cursor, colorScheme } = getComputedStyle(this.#host);
    const isDark = colorScheme.includes('dark') && (!colorScheme.includes('light') || matchMedia('(prefers-color-scheme: dark)').matches);
    const colours = Object.fromEntries(NAMES.map((name, at) => [name, (isDark ? DARK : LIGHT)[at]!]));
    return { ...colours, foreground, background, cursor, cursorAccent: background, selectionBackground: isDark ? '#2f4a78' : '#bcd4fb' };
  }
}
