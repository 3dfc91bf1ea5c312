import type { ComponentChildren, JSX } from 'preact';
import { number } from '../model/words.js';
import type { ViewName } from '../model/place.js';
import { store, useStore } from '../store.js';
import { Icon, StateIcon, type SignName } from './icons.js';

interface LinkProps {
  readonly q: string;
  readonly label: string;
  readonly count: number;
  readonly children?: ComponentChildren;
  readonly warning?: string | null;
}

function FilterLink({ q, label, count, children, warning = null }: LinkProps): JSX.Element {
  const { place } = useStore();
  const isHere = place.view === 'machines' && place.q.trim() === q;
  return (
    <button aria-pressed={isHere} title={warning ?? undefined} onClick={() => store.go({ q, view: 'machines', plan: '' })}>
      {children}<span class="label">{label}</span>
      {warning !== null && <span class="state paused"><Icon of="warn" size={14} /><span class="hide">{warning}</span></span>}
      <span class="count">{number(count)}</span>
    </button>
  );
}

function ViewLink({ view, label, sign }: { readonly view: ViewName; readonly label: string; readonly sign: SignName }): JSX.Element {
  const { place } = useStore();
  return <button aria-pressed={place.view === view} onClick={() => store.go({ view, machine: '' })}><Icon of={sign} /><span class="label">{label}</span></button>;
}

/** A word of the filter language as it must be written there: names can have blanks, which it can't. */
const asWord = (name: string): string => name.replaceAll(/\s/g, '?');

export function Rail(): JSX.Element {
  const { counts, fleet } = useStore();
  return (
    <nav class="rail" aria-label="Views">
      <h2>Machines</h2>
      <FilterLink q="" label="All" count={fleet?.size ?? 0} />
      <FilterLink q="state:on" label="On" count={counts.states.get('on') ?? 0}><span class="state on"><StateIcon of="on" /></span></FilterLink>
      <FilterLink q="state:off" label="Off" count={counts.states.get('off') ?? 0}><span class="state off"><StateIcon of="off" /></span></FilterLink>
      <FilterLink q="state:crashed,unknown" label="Trouble" count={counts.trouble}><span class={counts.trouble > 0 ? 'state crashed' : 'state off'}><StateIcon of="crashed" /></span></FilterLink>
      {fleet !== undefined && fleet.groups.length > 0 && <h2>Groups</h2>}
      {fleet?.groups.map(({ name, members }) => <FilterLink key={name} q={`@${asWord(name)}`} label={`@${name}`} count={members.length} />)}
      {fleet !== undefined && fleet.providers.length > 0 && <h2>Providers</h2>}
      {fleet?.providers.map(({ name, stale, answers }) => (
        <FilterLink key={name} q={`provider:${asWord(name)}`} label={name} count={counts.providers.get(name) ?? 0} warning={stale ?? (answers ? null : 'does not answer')} />
      ))}
      <h2>More</h2>
      {store.may('plan') && <ViewLink view="plans" label="Plans" sign="plans" />}
      <ViewLink view="activity" label="Activity" sign="activity" />
      <ViewLink view="audit" label="Audit" sign="audit" />
    </nav>
  );
}
