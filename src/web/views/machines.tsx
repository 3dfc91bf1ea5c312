import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PowerAction } from '../../instances/operation-table.js';
import { ACTIONS, ALL_ACTIONS, hasWays } from '../model/orders.js';
import { number, plural } from '../model/words.js';
import { pickRow, toggleAll } from '../selection.js';
import { store, useStore } from '../store.js';
import { MachineList } from './list.js';

/** Set while the list is in the page, for keys. */
export const current: { list: MachineList | undefined } = { list: undefined };

function openRow(row: number): void {
  store.setCursor(row);
  store.openDetails(store.shown[row]);
}

function Rows(): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const sizer = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const list = new MachineList(box.current!, sizer.current!, store, {
      open: openRow,
      act: (what, position) => store.order(what, [position]),
      pick: pickRow,
    });
    current.list = list;
    const end = store.subscribe(() => list.redraw());
    return () => {
      end();
      list.close();
      current.list = undefined;
    };
  }, []);
  return <div class="list" id="list" ref={box} tabIndex={0} role="rowgroup" aria-label="Machines that are shown"><div class="sizer" ref={sizer} role="presentation" /></div>;
}

const HEADS = [['c-name', 'Name'], ['c-state', 'State'], ['c-prov', 'Provider'], ['c-type', 'Type'], ['c-groups', 'Groups'], ['c-since', 'For']] as const;
const SORTED_BY: Readonly<Record<string, string>> = { Name: 'name', State: 'state', Provider: 'provider', Type: 'type', For: 'since' };

/** One click sorts, a second one turns it round, a third one gives the order of the configuration back. */
function sortBy(word: string): void {
  const { q } = store.place;
  const rest = q.replace(/\s*\bsort:\S*/g, '').trim();
  const now = store.filter.sort;
  const next = now?.by !== word ? `sort:${word}` : now.isDown ? '' : `sort:-${word}`;
  store.go({ q: `${rest} ${next}`.trim() });
}

function Head(): JSX.Element {
  const { shown, filter: { sort }, fleet, picked } = useStore();
  const isAll = shown.length > 0 && shown.every((at) => picked.has(fleet!.keys[at]!));
  return (
    <div class="head" role="row" aria-rowindex={1}>
      <span class="c-check" role="columnheader"><input class="check" type="checkbox" aria-label="Select all that are shown" checked={isAll} onChange={toggleAll} /></span>
      {HEADS.map(([css, title]) => {
        const by = SORTED_BY[title];
        const isBy = by !== undefined && sort?.by === by;
        const direction = isBy ? (sort.isDown ? 'descending' : 'ascending') : undefined;
        return <span key={title} class={css} role="columnheader" aria-sort={direction}>{by === undefined ? title : <button class="bare" onClick={() => sortBy(by)}>{title}{isBy && <span aria-hidden="true">{sort.isDown ? ' ↓' : ' ↑'}</span>}</button>}</span>;
      })}
      <span role="columnheader"><span class="hide">Actions</span></span>
    </div>
  );
}

/** Actions that at least one of those can do and the account may. */
function offered(positions: readonly number[]): readonly PowerAction[] {
  const { fleet } = store;
  return fleet === undefined ? [] : ALL_ACTIONS.filter((action) => positions.some((at) => fleet.offers(at, action)));
}

const IN_SIGHT: readonly PowerAction[] = ['start', 'stop', 'reboot'];

export function ActionButtons({ positions }: { readonly positions: readonly number[] }): JSX.Element {
  const { isLost } = useStore();
  const [isMore, setMore] = useState(false);
  const actions = offered(positions);
  const give = (action: PowerAction): void => {
    setMore(false);
    store.order(action, positions);
  };
  const others = actions.filter((action) => !IN_SIGHT.includes(action));
  return (
    <div class="actions">
      {IN_SIGHT.filter((action) => actions.includes(action)).map((action) => <button key={action} disabled={isLost} onClick={() => give(action)}>{ACTIONS[action].does}{hasWays(action) && ' …'}</button>)}
      {others.length > 0 && <button aria-expanded={isMore} disabled={isLost} onClick={() => setMore(!isMore)}>More</button>}
      {isMore && <div class="menu up" onKeyDown={(event) => { if (event.key === 'Escape') { event.stopPropagation(); setMore(false); } }}>{others.map((action) => <button key={action} class="bare" onClick={() => give(action)}>{ACTIONS[action].does}</button>)}</div>}
    </div>
  );
}

function Foot(): JSX.Element {
  const { shown, fleet, picked, pickedPositions } = useStore();
  if (picked.size === 0) {
    const of = fleet !== undefined && shown.length < fleet.size ? ` of ${number(fleet.size)}` : '';
    return <div class="foot"><b>{plural(shown.length, 'machine')}{of}</b><span class="grow" /><span class="hint"><span><kbd>j</kbd><kbd>k</kbd> move</span><span><kbd>x</kbd> select</span><span><kbd>?</kbd> all keys</span></span></div>;
  }
  const hidden = pickedPositions.filter((at) => !shown.includes(at)).length;
  return (
    <div class="foot selected">
      <b>{number(picked.size)} selected</b>{hidden > 0 && <span class="dim">{hidden} not shown</span>}
      <button class="bare" onClick={() => { picked.clear(); store.tell(); }}>Clear</button>
      <span class="grow" /><ActionButtons positions={pickedPositions} />
    </div>
  );
}

function Empty(): JSX.Element | null {
  const { shown, fleet, place } = useStore();
  if (shown.length > 0) return null;
  if (fleet === undefined) return <div class="empty"><p class="dim">Loading …</p></div>;
  return place.q.trim() === ''
    ? <div class="empty"><p><b>No machines yet</b></p><p class="dim">There are none, or none that you may see.</p></div>
    : <div class="empty"><p><b>Nothing matches</b></p><p class="dim">No machine is as “{place.q}” asks.</p><button onClick={() => store.go({ q: '' })}>Show all</button></div>;
}

export function Machines(): JSX.Element {
  const { shown } = useStore();
  return (
    <section class="card" aria-label="Machines">
      <h1 class="hide">Machines</h1>
      <div class="table" role="table" aria-label="Machines" aria-rowcount={shown.length + 1}><div role="rowgroup"><Head /></div><Rows /></div>
      <Empty />
      <Foot />
    </section>
  );
}
