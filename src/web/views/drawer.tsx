import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { segment } from '../io/http.js';
import type { AuditRows, Events } from '../model/answers.js';
import type { Machine } from '../model/fleet.js';
import { moment, span } from '../model/words.js';
import { eventsOf, store, useStore } from '../store.js';
import { Overview, useFetched } from './details.js';
import { Timeline } from './activity.js';
import { Icon, StateMark } from './icons.js';
import { ActionButtons } from './machines.js';

/** One machine's side. */

const TABS = ['Overview', 'Activity', 'Audit'] as const;
type Tab = (typeof TABS)[number];

/** Kind, title, and the operations of which one is enough: a screen may be open to look at alone. */
const CONSOLES = [['vnc', 'Screen', ['console.open', 'console.view']], ['text', 'Console', ['console.open']], ['shell', 'Shell', ['console.shell']]] as const;

/** The kinds of consoles that a machine has and that one may open. */
export const consolesOf = (machine: Machine): readonly (readonly [kind: string, title: string])[] =>
  CONSOLES.filter(([kind, , operations]) => machine.capabilities.includes(`console ${kind}`) && operations.some((one) => machine.permissions.includes(one))).map(([kind, title]) => [kind, title]);

/** A document of its own, beside this one. What it is about stands behind the #, which no log has. */
export function openConsole(machine: Machine): void {
  const kind = consolesOf(machine)[0]?.[0];
  if (kind !== undefined && !store.isLost) window.open(consoleAddress(machine, kind), '_blank', 'noopener');
}

const consoleAddress = (machine: Machine, kind: string): string =>
  `/console/#instance=${segment(machine.name)}&kind=${kind}${kind === 'vnc' && !machine.permissions.includes('console.open') ? '&view-only=true' : ''}`;

function Consoles({ machine }: { readonly machine: Machine }): JSX.Element | null {
  const { isLost } = useStore();
  const kinds = consolesOf(machine);
  if (kinds.length === 0 || isLost) return null;
  return <>{kinds.map(([kind, title]) => <a key={kind} class="button" href={consoleAddress(machine, kind)} target="_blank" rel="noopener"><Icon of="console" size={14} />{title}</a>)}</>;
}

function MachineEvents({ fullName }: { readonly fullName: string }): JSX.Element {
  const { known } = useStore();
  const { value, wrong } = useFetched<Events>(`events?instance=${segment(fullName)}&limit=100`);
  const live = eventsOf(known?.events ?? [], fullName);
  const seen = new Set(live.map(({ cursor }) => cursor));
  const all = [...live, ...[...value?.events ?? []].reverse().filter(({ cursor }) => !seen.has(cursor))];
  return <>{wrong !== '' && <p class="wrong">{wrong}</p>}<Timeline events={all} withNames={false} /></>;
}

function MachineAudit({ fullName }: { readonly fullName: string }): JSX.Element {
  const { now } = useStore();
  const { value, wrong } = useFetched<AuditRows>(`audit?instance=${segment(fullName)}&limit=50`);
  if (wrong !== '') return <p class="wrong">{wrong}</p>;
  if (value?.rows.length === 0) return <p class="dim">Nobody has ordered anything here.</p>;
  return (
    <ol class="timeline">{value?.rows.map(({ id, at, account, command, options, outcome, ms, from }) => (
      <li key={id}><time>{moment(at, now)}</time><span><b>{command}</b> {options} <span class="dim">by {account} from {from}</span><br /><span class={outcome === null || outcome === 'done' || outcome === 'already so' ? 'dim' : 'crashed'}>{outcome ?? 'under way'}{ms !== null && ` after ${(ms / 1000).toFixed(1)} s`}</span></span></li>
    ))}
    </ol>
  );
}

function Tabs({ tab, setTab }: { readonly tab: Tab; setTab(tab: Tab): void }): JSX.Element {
  const key = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length]!;
    setTab(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="About this machine" onKeyDown={key}>
      {TABS.map((one) => <button key={one} id={`tab-${one}`} role="tab" aria-selected={tab === one} aria-controls="tab-panel" tabIndex={tab === one ? 0 : -1} onClick={() => setTab(one)}>{one}</button>)}
    </div>
  );
}

function Body({ machine, fullName }: { readonly machine: Machine; readonly fullName: string }): JSX.Element {
  const { now } = useStore();
  const [tab, setTab] = useState<Tab>('Overview');
  return (
    <>
      <div class="drawer-top">
        <p><StateMark of={machine.state} /> <span class="dim">for {span(now - machine.since)}</span></p>
        <div class="actions"><ActionButtons positions={[machine.at]} /><Consoles machine={machine} /></div>
      </div>
      <Tabs tab={tab} setTab={setTab} />
      <div class="drawer-body" id="tab-panel" role="tabpanel" aria-labelledby={`tab-${tab}`} tabIndex={0}>
        {tab === 'Overview' && <Overview machine={machine} />}
        {tab === 'Activity' && <MachineEvents fullName={fullName} />}
        {tab === 'Audit' && <MachineAudit fullName={fullName} />}
      </div>
    </>
  );
}

export function Drawer(): JSX.Element | null {
  const { place, fleet } = useStore();
  const box = useRef<HTMLElement>(null);
  const isOpen = place.machine !== '' && fleet !== undefined;
  useEffect(() => {
    if (isOpen) box.current?.focus({ preventScroll: true });
  }, [isOpen]);
  if (!isOpen) return null;
  const at = fleet.named(place.machine);
  const machine = at === undefined ? undefined : fleet.machine(at);
  const title = machine === undefined ? place.machine : fleet.shortName(machine.at);
  return (
    <aside class="drawer" ref={box} tabIndex={-1} aria-label={`Details of ${title}`}>
      <header><h2>{title}</h2><button class="bare icon-only" aria-label="Close details" onClick={() => store.go({ machine: '' })}><Icon of="close" /></button></header>
      {machine === undefined ? <p class="note">There is no such machine, or none that you may see.</p> : <Body key={machine.key} machine={machine} fullName={`${machine.provider.name}/${title}`} />}
    </aside>
  );
}
