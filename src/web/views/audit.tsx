import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { trimmed } from '../../kit/text.js';
import type { AuditRows } from '../model/answers.js';
import { asCsv } from '../model/csv.js';
import { moment } from '../model/words.js';
import { store, useStore } from '../store.js';
import { useFetched } from './details.js';

/** Who has ordered what, as it is written down. */

const LIMIT = 500;
const HEADS = ['Time', 'Account', 'Order', 'Machine', 'Outcome', 'Took', 'From'];
const SPANS: readonly (readonly [label: string, ms: number])[] = [['Last hour', 3_600_000], ['Last day', 86_400_000], ['Last week', 604_800_000], ['All', 0]];

const isGood = (outcome: string | null): boolean => outcome === null || outcome === 'done' || outcome === 'already so';

function download(rows: AuditRows['rows']): void {
  const text = asCsv(['time', 'account', 'from', 'command', 'instance', 'options', 'outcome', 'ms'], rows.map((row) => [new Date(row.at).toISOString(), row.account, row.from, row.command, row.instance, row.options, row.outcome ?? '', row.ms === null ? '' : String(row.ms)]));
  const address = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = 'audit.csv';
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

interface Wanted { readonly account: string; readonly instance: string; readonly ms: number; readonly asked: number }

function pathOf({ account, instance, ms, asked }: Wanted): string {
  const words = new URLSearchParams({ limit: String(LIMIT) });
  if (account !== '') words.set('account', account);
  if (instance !== '') words.set('instance', instance);
  if (ms > 0) words.set('since', String(Math.round(asked - ms)));
  return `audit?${words}`;
}

function Table({ rows }: { readonly rows: AuditRows['rows'] }): JSX.Element {
  const { now } = useStore();
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="Audit rows">
      <table>
        <thead><tr>{HEADS.map((head) => <th key={head} scope="col">{head}</th>)}</tr></thead>
        <tbody>{rows.map(({ id, at, account, command, options, instance, outcome, ms, from }) => (
          <tr key={id}><td class="nowrap">{moment(at, now)}</td><td>{account}</td><td><b>{command}</b> {options}</td><td>{instance}</td><td class={isGood(outcome) ? '' : 'crashed'}>{outcome ?? 'under way'}</td><td class="nowrap">{ms === null ? '' : `${(ms / 1000).toFixed(1)} s`}</td><td class="mono">{from}</td></tr>
        ))}
        </tbody>
      </table>
    </div>
  );
}

/** What is typed stays, also where rows come meanwhile; it counts from Enter, or from leaving it, on. */
function Filter({ label, change }: { readonly label: string; readonly change: (text: string) => void }): JSX.Element {
  const [typed, setTyped] = useState('');
  return (
    <label>
      {label}
      <input
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onChange={(event) => change(trimmed(event.currentTarget.value))}
        autocapitalize="none"
        spellcheck={false}
      />
    </label>
  );
}

export function Audit(): JSX.Element {
  const [wanted, setWanted] = useState<Wanted>(() => ({ account: '', instance: '', ms: 86_400_000, asked: store.now }));
  const { value, wrong } = useFetched<AuditRows>(pathOf(wanted));
  const change = (part: Partial<Wanted>): void => setWanted({ ...wanted, ...part, asked: store.now });
  return (
    <section class="card scroll" aria-label="Audit">
      <div class="page wide">
        <h1>Audit</h1>
        <form class="filters" onSubmit={(event) => event.preventDefault()}>
          <Filter label="Account" change={(account) => change({ account })} />
          <Filter label="Machine" change={(instance) => change({ instance })} />
          <label>
            Time
            <select value={String(wanted.ms)} onChange={(event) => change({ ms: Number(event.currentTarget.value) })}>
              {SPANS.map(([label, ms]) => (
                <option key={label} value={String(ms)}>
                  {label}
                </option>
              ))}
            </select>
          </label>
          <span class="grow" />
          <button type="button" disabled={(value?.rows.length ?? 0) === 0} onClick={() => download(value!.rows)}>
            Save as CSV
          </button>
        </form>
        {wrong !== '' && (
          <p class="wrong" role="alert">
            {wrong}
          </p>
        )}
        {value !== undefined
          && (value.rows.length === 0 ? <p class="dim">Nothing was ordered that is like that.</p> : <Table rows={value.rows} />)}
        {value?.rows.length === LIMIT && <p class="dim">The newest {LIMIT} are shown.</p>}
      </div>
    </section>
  );
}
