import type { PowerAction } from '../instances/operation-table.js';
import { pickRow, toggleAll } from './selection.js';
import { store } from './store.js';
import { openConsole } from './views/drawer.js';
import { current } from './views/machines.js';

/** What single keys do. They can be switched off, for those whose speech or hands type by accident. */

const STORED = 'single-keys';
export const areKeysOn = (): boolean => localStorage.getItem(STORED) !== 'off';
export const setKeysOn = (isOn: boolean): void => localStorage.setItem(STORED, isOn ? 'on' : 'off');

/** How long after `g` its second key may come, ms. */
const SECOND_KEY_MS = 1500;
let goAt = -Infinity;

function move(by: number): void {
  const row = Math.max(0, Math.min(store.shown.length - 1, store.cursorRow + by));
  store.setCursor(row);
  const at = store.shown[row];
  if (at !== undefined) store.say(`${store.fleet!.names[at]}, ${store.fleet!.stateOf(at)}`);
  current.list?.reveal(row);
}

function order(action: PowerAction): void {
  const open = store.place.machine === '' ? undefined : store.fleet?.named(store.place.machine);
  const here = open ?? store.shown[store.cursorRow];
  const positions = store.picked.size > 0 ? store.pickedPositions : here === undefined ? [] : [here];
  store.order(action, positions);
}

function back(): void {
  if (store.isTrayOpen) store.isTrayOpen = false;
  else if (store.place.machine !== '') {
    store.go({ machine: '' });
    document.getElementById('list')?.focus({ preventScroll: true });
  } else if (store.picked.size > 0) store.picked.clear();
  else if (store.place.view !== 'machines') store.go({ view: 'machines' });
  store.tell();
}

function search(): void {
  if (store.place.view !== 'machines') store.go({ view: 'machines' });
  document.querySelector<HTMLInputElement>('#search')?.select();
}

function console(): void {
  const at = store.place.machine === '' ? store.shown[store.cursorRow] : store.fleet?.named(store.place.machine);
  if (at !== undefined) openConsole(store.fleet!.machine(at));
}

const SECONDS: Readonly<Record<string, () => void>> = {
  a: () => store.go({ view: 'activity', machine: '' }),
  m: () => store.go({ view: 'machines' }),
  p: () => { if (store.may('plan')) store.go({ view: 'plans', machine: '' }); },
  t: () => store.go({ view: 'machines', q: 'state:crashed,unknown' }),
  o: () => { store.isTrayOpen = !store.isTrayOpen; store.tell(); },
};

/** Everywhere, but for fields and dialogs. */
const EVERYWHERE: Readonly<Record<string, () => void>> = {
  '/': search,
  '?': () => { store.isHelpOpen = true; store.tell(); },
  Escape: back,
  g: () => { goAt = performance.now(); },
};

/** Where the machines are shown. */
const ON_MACHINES: Readonly<Record<string, () => void>> = {
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
  PageDown: () => move(current.list?.page ?? 10), PageUp: () => move(-(current.list?.page ?? 10)), Home: () => move(-Infinity), End: () => move(Infinity),
  x: () => pickRow(store.cursorRow, false), X: () => pickRow(store.cursorRow, true), a: toggleAll,
  s: () => order('start'), p: () => order('stop'), r: () => order('reboot'), c: console,
  Enter: () => store.openDetails(store.shown[store.cursorRow]),
};

/** Keys that are no letters do what they do everywhere, also when single keys are off. */
const ALWAYS: ReadonlySet<string> = new Set(['Escape', 'ArrowDown', 'ArrowUp', 'PageDown', 'PageUp', 'Home', 'End', 'Enter']);

/** Whether the key belongs to what has the focus. */
function isTaken({ target, key, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey || !(target instanceof Element)) return true;
  if (target.closest('dialog, textarea, select, input:not([type=checkbox])') !== null || document.querySelector('dialog[open]') !== null) return true;
  const isList = target.id === 'list' || target === document.body;
  // a button is pressed by Enter, and what scrolls is scrolled by arrows
  return ALWAYS.has(key) && key !== 'Escape' && !isList && target.closest('.list') === null;
}

function pressed(event: KeyboardEvent): void {
  if (store.session === undefined || isTaken(event)) return;
  if (!areKeysOn() && !ALWAYS.has(event.key)) return;
  const isSecond = performance.now() - goAt < SECOND_KEY_MS;
  goAt = -Infinity;
  const does = (isSecond ? SECONDS[event.key] : undefined) ?? EVERYWHERE[event.key] ?? (store.place.view === 'machines' ? ON_MACHINES[event.key] : undefined);
  if (does === undefined) return;
  event.preventDefault();
  does();
}

export const listenForKeys = (): void => addEventListener('keydown', pressed);
