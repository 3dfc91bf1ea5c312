import RFB from '@novnc/novnc';
import type { Display, DisplayUser, SpareKey } from './display.js';
import { pressesOf, unknownTo, type Press } from './us-keyboard.js';

/** A screen, drawn by noVNC. */

/**
 * From one key to the next of a text that is typed, ms. QEMU gives each press and release 10 ms and lets wait 1,024 of them
 * (ui/vnc.c, key-delay-ms); what is more is lost without a word.
 */
const TYPE_PACE_MS = 45;

const SHIFT: Press = { keysym: 0xffe1, code: 'ShiftLeft', shift: false };
/** keysym and code (X11/keysymdef.h) */
const KEY = {
  Ctrl: [0xffe3, 'ControlLeft'], Alt: [0xffe9, 'AltLeft'], Super: [0xffeb, 'MetaLeft'], Esc: [0xff1b, 'Escape'], Tab: [0xff09, 'Tab'], Enter: [0xff0d, 'Enter'], Print: [0xff61, 'PrintScreen'],
  '↑': [0xff52, 'ArrowUp'], '↓': [0xff54, 'ArrowDown'], '←': [0xff51, 'ArrowLeft'], '→': [0xff53, 'ArrowRight'],
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((number) => [`F${number}`, [0xffbd + number, `F${number}`] as const])),
} as Readonly<Record<string, readonly [keysym: number, code: string]>>;
const SPARE = ['Esc', 'Tab', 'Enter', '↑', '↓', '←', '→', 'Super', 'Print', 'Alt+Tab', 'Alt+F4', 'F1', 'F2', 'F8', 'F10', 'F11', 'F12', ...[1, 2, 3, 4, 5, 6, 7, 8].map((number) => `Ctrl+Alt+F${number}`)];

const pause = (ms: number, signal: AbortSignal): Promise<void> => new Promise((resolve, reject) => {
  signal.throwIfAborted();
  const leave = (): void => {
    clearTimeout(timer);
    reject(signal.reason as Error);
  };
  const timer = setTimeout(() => {
    signal.removeEventListener('abort', leave);
    resolve();
  }, ms);
  signal.addEventListener('abort', leave, { once: true });
});

export class Screen implements Display {
  readonly keys: readonly SpareKey[] = SPARE.map((label) => ({ label, press: () => this.#pressAll(label) }));
  readonly #rfb: RFB;
  #isClosed = false;

  /**
   * @param socket over which RFB comes; nothing of it may have come yet
   * @param host into which it draws
   */
  constructor(socket: WebSocket, host: HTMLElement, { title, viewOnly }: { readonly title: string; readonly viewOnly: boolean }, user: DisplayUser) {
    const rfb = this.#rfb = new RFB(host, socket, { shared: true });
    rfb.background = 'transparent';
    rfb.scaleViewport = true;
    rfb.viewOnly = viewOnly;
    const canvas = host.querySelector('canvas')!;
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-label', title);
    // noVNC lets go of keys that are held when the window is left; they would stay down where a button is clicked instead
    canvas.addEventListener('blur', () => dispatchEvent(new Event('blur')));
    rfb.addEventListener('connect', () => user.opened());
    rfb.addEventListener('disconnect', ({ detail: { clean } }) => { if (!clean && !this.#isClosed) user.failed(); });
    rfb.addEventListener('clipboard', ({ detail: { text } }) => user.clipboard(text));
  }

  focus(): void {
    this.#rfb.focus();
  }

  get isScaled(): boolean {
    return this.#rfb.scaleViewport;
  }

  /** Whether it is made to fit; else a pixel is a pixel. */
  set isScaled(isScaled: boolean) {
    this.#rfb.scaleViewport = isScaled;
  }

  get viewOnly(): boolean {
    return this.#rfb.viewOnly;
  }

  /** A help against slips; what an account may not do is taken out by the server. */
  set viewOnly(viewOnly: boolean) {
    this.#rfb.viewOnly = viewOnly;
  }

  pressCtrlAltDel(): void {
    this.#rfb.sendCtrlAltDel();
  }

  async type(text: string, signal: AbortSignal): Promise<string> {
    for (const press of pressesOf(text)) {
      if (press.shift) this.#send(SHIFT, true);
      this.#send(press, true);
      this.#send(press, false);
      if (press.shift) this.#send(SHIFT, false);
      await pause(TYPE_PACE_MS, signal);
    }
    return unknownTo(text);
  }

  /** Puts a text into the machine's clipboard, where it has something that takes it. */
  putIntoClipboard(text: string): void {
    this.#rfb.clipboardPasteFrom(text);
  }

  picture(): Promise<Blob | null> {
    return new Promise((resolve) => this.#rfb.toBlob(resolve));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rfb.disconnect();
  }

  remove(): void {
    this.close();
  }

  #pressAll(label: string): void {
    const keys = label.split('+').map((name) => KEY[name]!);
    for (const [keysym, code] of keys) this.#rfb.sendKey(keysym, code, true);
    for (const [keysym, code] of keys.reverse()) this.#rfb.sendKey(keysym, code, false);
  }

  #send({ keysym, code }: Press, down: boolean): void {
    this.#rfb.sendKey(keysym, code ?? null, down);
  }
}
