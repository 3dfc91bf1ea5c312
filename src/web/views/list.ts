import type { PowerState } from '../../drivers/driver.js';
import { elementOf, inSight, scrolledTo } from '../model/rows.js';
import { span } from '../model/words.js';
import type { Store } from '../store.js';
import { stateNode } from './icons.js';

/**
 * The rows of the machine list, outside of the virtual DOM: as many elements as are in sight are kept, and
 * of each only what has changed is touched. Ten thousand machines then cost what forty do.
 */

const ROW = 40;
const ROW_ON_PHONE = 60;
const PHONE = '(max-width: 720px)';

export interface ListUser {
  open(position: number): void;
  act(what: 'start' | 'stop', position: number): void;
  pick(position: number, isRange: boolean): void;
}

interface RowNodes {
  readonly element: HTMLElement;
  readonly check: HTMLInputElement;
  readonly mark: HTMLElement;
  readonly warning: HTMLElement;
  readonly start: HTMLButtonElement;
  readonly stop: HTMLButtonElement;
  readonly name: Text;
  readonly state: Text;
  readonly provider: Text;
  readonly type: Text;
  readonly groups: Text;
  readonly since: Text;
  /** what it shows, so that nothing is written twice */
  row: number;
  height: number;
  shownState: PowerState | undefined;
}

/** In these states the action would do nothing. */
const SPARED: Readonly<Record<'start' | 'stop', PowerState>> = { start: 'on', stop: 'off' };

const set = (node: Text, text: string): void => {
  if (node.data !== text) node.data = text;
};
const toggle = (element: Element, name: string, value: string): void => {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
};

function cell(css: string, ...inside: (Node | string)[]): HTMLElement {
  const element = document.createElement('div');
  element.className = css;
  element.setAttribute('role', 'cell');
  element.append(...inside);
  return element;
}

function button(act: 'start' | 'stop', path: string): HTMLButtonElement {
  const made = document.createElement('button');
  made.className = 'bare icon-only';
  made.dataset['act'] = act;
  made.tabIndex = -1;
  const svg = stateNode('on');
  svg.firstElementChild!.setAttribute('d', path);
  made.append(svg);
  return made;
}

function makeRow(): RowNodes {
  const text = (): Text => document.createTextNode('');
  const [name, state, provider, type, groups, since] = [text(), text(), text(), text(), text(), text()];
  const check = document.createElement('input');
  check.type = 'checkbox';
  check.className = 'check';
  check.tabIndex = -1;
  const mark = cell('state c-state', state);
  const warning = document.createElement('span');
  warning.className = 'stale-mark';
  warning.append(stateNode('crashed'));
  const [start, stop] = [button('start', 'M5 3.200v9.600l7.800-4.800z'), button('stop', 'M4 4h8v8H4z')];
  const element = document.createElement('div');
  element.className = 'row';
  element.setAttribute('role', 'row');
  element.append(cell('c-check', check), cell('c-name', name), mark, cell('dim c-prov', provider, warning), cell('dim c-type', type), cell('dim c-groups', groups), cell('dim c-since', since), cell('acts', start, stop));
  return { element, check, mark, warning, start, stop, name, state, provider, type, groups, since, row: -1, height: 0, shownState: undefined };
}

export class MachineList {
  readonly #box: HTMLElement;
  readonly #sizer: HTMLElement;
  readonly #store: Store;
  readonly #user: ListUser;
  readonly #rows: RowNodes[] = [];
  readonly #phone = matchMedia(PHONE);
  readonly #size: ResizeObserver;
  #asked = 0;
  #isLost = false;
  /** something has changed beside what is in sight */
  #isDirty = true;

  constructor(box: HTMLElement, sizer: HTMLElement, store: Store, user: ListUser) {
    this.#box = box;
    this.#sizer = sizer;
    this.#store = store;
    this.#user = user;
    this.#size = new ResizeObserver(() => this.redraw());
    this.#size.observe(box);
    box.addEventListener('scroll', () => this.#ask(), { passive: true });
    box.addEventListener('pointermove', () => store.touch(), { passive: true });
    box.addEventListener('click', (event) => this.#clicked(event));
    this.redraw();
  }

  close(): void {
    this.#size.disconnect();
    cancelAnimationFrame(this.#asked);
  }

  get rowHeight(): number {
    return this.#phone.matches ? ROW_ON_PHONE : ROW;
  }

  /** Rows that fit. */
  get page(): number {
    return Math.max(1, Math.floor(this.#box.clientHeight / this.rowHeight) - 1);
  }

  /** Draws in the next frame what has changed by then. */
  redraw(): void {
    this.#isDirty = true;
    this.#ask();
  }

  /** Of a list that was only scrolled, the rows that were in sight are as they were. */
  #ask(): void {
    if (this.#asked === 0) this.#asked = requestAnimationFrame(() => this.#draw());
  }

  reveal(row: number): void {
    const to = scrolledTo(row, this.#box.scrollTop, this.#box.clientHeight, this.rowHeight);
    if (to !== this.#box.scrollTop) this.#box.scrollTop = to;
    this.redraw();
  }

  #draw(): void {
    this.#asked = 0;
    const { shown, isLost, cursorRow } = this.#store;
    // how long it has been so nobody knows while the connection is lost
    const now = this.#store.lostSince ?? this.#store.now;
    const height = this.rowHeight;
    const tall = `${shown.length * height}px`;
    if (this.#sizer.style.height !== tall) this.#sizer.style.height = tall;
    const { first, end } = inSight(this.#box.scrollTop, this.#box.clientHeight, height, shown.length);
    while (this.#rows.length < end - first) {
      const made = makeRow();
      this.#rows.push(made);
      this.#sizer.append(made.element);
      // which element shows which row has changed for all
      for (const one of this.#rows) one.row = -1;
    }
    this.#isLost = isLost;
    const used = new Set<RowNodes>();
    for (let row = first; row < end; row += 1) {
      const nodes = this.#rows[elementOf(row, this.#rows.length)]!;
      used.add(nodes);
      if (!this.#place(nodes, row, height) && !this.#isDirty) continue;
      this.#fill(nodes, shown[row]!, now);
      nodes.element.classList.toggle('cursor', row === cursorRow);
    }
    for (const nodes of this.#rows) if (nodes.element.hidden === used.has(nodes)) nodes.element.hidden = !used.has(nodes);
    this.#isDirty = false;
  }

  /** @returns whether it was elsewhere */
  #place(nodes: RowNodes, row: number, height: number): boolean {
    if (nodes.row === row && nodes.height === height) return false;
    nodes.height = height;
    nodes.row = row;
    const { element } = nodes;
    element.style.height = `${height}px`;
    element.style.transform = `translateY(${row * height}px)`;
    element.setAttribute('aria-rowindex', String(row + 2));
    return true;
  }

  #fill(nodes: RowNodes, at: number, now: number): void {
    const fleet = this.#store.fleet!;
    const [name, state, provider] = [fleet.names[at]!, fleet.stateOf(at), fleet.providerOf(at)];
    set(nodes.name, name);
    set(nodes.provider, provider.name);
    set(nodes.type, fleet.typeOf(at));
    set(nodes.groups, fleet.groupsOf[at]!.map((group) => `@${group}`).join(' '));
    set(nodes.since, span(now - fleet.since[at]!));
    toggle(nodes.check, 'aria-label', `Select ${name}`);
    if (nodes.shownState !== state) {
      nodes.shownState = state;
      nodes.mark.className = `state c-state ${state}`;
      nodes.mark.replaceChildren(stateNode(state), nodes.state);
      set(nodes.state, state);
    }
    const isPicked = this.#store.picked.has(fleet.keys[at]!);
    if (nodes.check.checked !== isPicked) nodes.check.checked = isPicked;
    toggle(nodes.element, 'aria-selected', String(isPicked));
    const stale = provider.stale ?? '';
    nodes.warning.hidden = stale === '';
    if (nodes.warning.title !== stale) nodes.warning.title = stale;
    nodes.element.classList.toggle('stale', stale !== '');
    for (const [act, control] of [['start', nodes.start], ['stop', nodes.stop]] as const) {
      control.hidden = !fleet.offers(at, act) || state === SPARED[act];
      control.disabled = this.#isLost;
      toggle(control, 'aria-label', `${act === 'start' ? 'Start' : 'Stop'} ${name}`);
      toggle(control, 'title', act === 'start' ? 'Start' : 'Stop …');
    }
  }

  #clicked(event: MouseEvent): void {
    if (!(event.target instanceof Element)) return;
    const element = event.target.closest('.row');
    const nodes = this.#rows.find((one) => one.element === element);
    if (nodes === undefined) return;
    const position = this.#store.shown[nodes.row];
    if (position === undefined) return;
    const act = event.target.closest<HTMLElement>('[data-act]')?.dataset['act'];
    // the cell around the box is a target that fingers hit
    if (event.target.closest('.c-check') !== null) this.#user.pick(nodes.row, event.shiftKey);
    else if (act === 'start' || act === 'stop') this.#user.act(act, position);
    else if (event.shiftKey) this.#user.pick(nodes.row, true);
    else this.#user.open(nodes.row);
    this.redraw();
  }
}
