import type { ConsoleRequest, ConsoleTicket } from '../../gateways/web/messages.js';
import { RequestError, get, post, segment } from '../io/http.js';
import type { Details } from '../model/answers.js';
import type { DisplayUser } from './display.js';
import { NOT_SHOWN, endOfError, endOfSocket, type End } from './ends.js';
import { TITLES, type ConsolePlace } from './place.js';
import type { Screen } from './screen.js';
import type { Terminal } from './terminal.js';

/** One console, as often as it is opened anew: each time with a ticket of its own. */

/** Between two looks at whether the server is there, and how the machine is, ms. */
const LOOK_EVERY_MS = 15_000;
/** After which the server has not answered, ms; and where the browser itself has said that there is no network. */
const LOOK_MS = 10_000;
const SHORT_LOOK_MS = 2000;

export type Phase = { readonly name: 'connecting' | 'open' } | { readonly name: 'ended'; readonly end: End };

export class ConsoleSession {
  phase: Phase = { name: 'connecting' };
  /** who had it open when this one was ordered */
  others: ConsoleTicket['others'] = [];
  /** undefined while nothing is known of the machine */
  machine: Details | undefined;
  /** since when nothing has come from the server, though nothing has told that the connection is gone; ms since 1970 */
  silentSince: number | undefined;
  /** what the machine has put into its clipboard last */
  clipboard = '';
  screen: Screen | undefined;
  terminal: Terminal | undefined;
  /** in which the console is drawn; outside of what is drawn anew */
  readonly host = document.createElement('div');
  #socket: WebSocket | undefined;
  /** which opening this is: what comes late of an earlier one counts no longer */
  #attempt = 0;
  /** when something last came from the server, ms since 1970 */
  #heard = Date.now();
  readonly #listeners = new Set<() => void>();

  constructor(readonly place: ConsolePlace) {
    this.host.className = `console-stage ${place.kind}`;
    setInterval(() => { if (this.phase.name !== 'ended') void this.#look(LOOK_MS); }, LOOK_EVERY_MS);
    addEventListener('offline', () => void this.#look(SHORT_LOOK_MS));
    addEventListener('online', () => void this.#look(LOOK_MS));
    addEventListener('beforeunload', (event) => {
      // Ctrl-W is a key of many programs, and the end of a tab
      if (this.phase.name === 'open' && !place.viewOnly) event.preventDefault();
    });
  }

  get title(): string {
    return `${TITLES[this.place.kind]} of ${this.place.instance}`;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param force takes it from whoever has it */
  async connect(force = false): Promise<void> {
    const attempt = this.#attempt += 1;
    this.#clear();
    this.phase = { name: 'connecting' };
    this.#tell();
    void this.#look(LOOK_MS);
    const { instance, kind, viewOnly } = this.place;
    const order: ConsoleRequest = { instance, kind, ...(viewOnly && { viewOnly }), ...(force && { force }) };
    try {
      const load = kind === 'vnc' ? import('./screen.js') : import('./terminal.js');
      const [{ ticket, others }, parts] = await Promise.all([post<ConsoleTicket>('consoles', order), load]);
      if (attempt !== this.#attempt) return;
      this.others = others;
      const socket = this.#open(ticket);
      if ('Screen' in parts) this.screen = new parts.Screen(socket, this.host, { title: this.title, viewOnly }, this.#user(attempt));
      else this.terminal = new parts.Terminal(socket, this.host, { title: this.title }, this.#user(attempt));
    } catch (error) {
      if (attempt === this.#attempt) this.#end(endOfError(error));
    }
  }

  focus(): void {
    (this.screen ?? this.terminal)?.focus();
  }

  /** A display has something new to show of itself. */
  changed(): void {
    this.#tell();
  }

  #open(ticket: string): WebSocket {
    const attempt = this.#attempt;
    const socket = this.#socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/api/console`, ['binary', `ticket.${ticket}`]);
    socket.addEventListener('message', () => this.#hear());
    socket.addEventListener('close', ({ code, reason }) => {
      if (attempt === this.#attempt) this.#end(endOfSocket(code, reason, this.phase.name === 'open'));
    });
    return socket;
  }

  #user(attempt: number): DisplayUser {
    const ifCurrent = (then: () => void) => (): void => { if (attempt === this.#attempt) then(); };
    return {
      opened: ifCurrent(() => {
        this.phase = { name: 'open' };
        this.#tell();
        this.focus();
      }),
      failed: ifCurrent(() => this.#end(NOT_SHOWN)),
      clipboard: (text) => {
        this.clipboard = text;
        this.#tell();
      },
      changed: ifCurrent(() => this.#tell()),
    };
  }

  #end(end: End): void {
    if (this.phase.name === 'ended') return;
    this.phase = { name: 'ended', end };
    this.silentSince = undefined;
    (this.screen ?? this.terminal)?.close();
    this.#socket?.close();
    this.#tell();
    // what the machine does now is why, often
    void this.#look(LOOK_MS);
  }

  #clear(): void {
    this.#socket?.close();
    (this.screen ?? this.terminal)?.remove();
    this.screen = this.terminal = this.#socket = this.silentSince = undefined;
    this.others = [];
    this.clipboard = '';
    this.host.replaceChildren();
  }

  #hear(): void {
    this.#heard = Date.now();
    if (this.silentSince === undefined) return;
    this.silentSince = undefined;
    this.#tell();
  }

  /** A connection can be dead for long before the browser hears of it, and a text console may be silent for hours. */
  async #look(ms: number): Promise<void> {
    const heard = this.#heard;
    try {
      this.machine = await get<Details>(`instances/${segment(this.place.instance)}`, AbortSignal.timeout(ms));
      this.#hear();
    } catch (error) {
      if (error instanceof RequestError && error.status !== 0) {
        this.#hear();
        this.machine = undefined;
      } else if (this.#heard === heard && this.phase.name === 'open') this.silentSince ??= heard;
    }
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
