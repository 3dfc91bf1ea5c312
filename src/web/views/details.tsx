import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { get, segment, wordsOf } from '../io/http.js';
import type { Details, DiskRow, Reading, Readings } from '../model/answers.js';
import type { Machine } from '../model/fleet.js';
import { SAMPLES_KEPT, rates, withSample, type Sample } from '../model/plot.js';
import { bytes, longSpan } from '../model/words.js';
import { store, useStore } from '../store.js';
import { Plot } from './plots.js';

/** What one machine is, has and does: the overview of its drawer. */

const POLL_MS = 5000;
const READINGS = ['ip', 'uptime', 'load', 'disk', 'rx', 'tx'];
/** Facts that are shown elsewhere. */
const ELSEWHERE = new Set(['error', 'name', 'full name', 'provider', 'state', 'since', 'capabilities', 'ips', 'disks', 'type', 'id']);

/** Something that is fetched once for each machine. */
export function useFetched<T>(path: string, again: unknown = 0): { readonly value: T | undefined; readonly wrong: string } {
  const [state, setState] = useState<{ readonly path: string; readonly value?: T; readonly wrong?: string }>({ path });
  useEffect(() => {
    const end = new AbortController();
    get<T>(path, end.signal).then(
      (value) => setState({ path, value }),
      (error: unknown) => {
        if (!end.signal.aborted) setState({ path, wrong: wordsOf(error) });
      },
    );
    return () => end.abort();
  }, [path, again]);
  // of the last one, nothing may be seen on this one's side
  return state.path === path ? { value: state.value, wrong: state.wrong ?? '' } : { value: undefined, wrong: '' };
}

interface Series { readonly load: readonly Sample[]; readonly rx: readonly Sample[]; readonly tx: readonly Sample[] }
const NO_SAMPLES: Series = { load: [], rx: [], tx: [] };

const valueOf = (reading: Reading | undefined): unknown => (reading !== undefined && 'value' in reading ? reading.value : undefined);

/** Some machines tell averages of their load, others the share of CPU that they use. */
const isShare = (load: unknown): boolean => typeof load === 'object' && load !== null && 'cpuPercent' in load;

/** The first figure: of `{averages: [0.1, …]}`, `{cpuPercent: 12.5}`, a number, or a number as a text. */
function firstNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && value.trim() !== '') return Number.isNaN(Number.parseFloat(value)) ? undefined : Number.parseFloat(value);
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.values(value).map(firstNumber).find((one) => one !== undefined);
}

function useReadings(name: string, names: readonly string[]): { readonly last: Readings | undefined; readonly series: Series } {
  const [state, setState] = useState<{ readonly name: string; readonly last: Readings | undefined; readonly series: Series }>({
    name,
    last: undefined,
    series: NO_SAMPLES,
  });
  const wanted = names.join(',');
  useEffect(() => {
    if (wanted === '') return undefined;
    const end = new AbortController();
    let timer = 0;
    const ask = async (): Promise<void> => {
      try {
        if (!store.isLost && !document.hidden) {
          const last = await get<Readings>(`instances/${segment(name)}/readings?names=${wanted}`, end.signal);
          setState((before) => ({ name, last, series: joined(before.name === name ? before.series : NO_SAMPLES, last) }));
        }
      } catch {
        // the next one may come; what is shown says since when it is so
      }
      if (!end.signal.aborted) timer = window.setTimeout(() => void ask(), POLL_MS);
    };
    void ask();
    return () => {
      end.abort();
      clearTimeout(timer);
    };
  }, [name, wanted]);
  return state.name === name ? state : { last: undefined, series: NO_SAMPLES };
}

function joined(series: Series, { at, readings }: Readings): Series {
  const add = (samples: readonly Sample[], value: number | undefined): readonly Sample[] =>
    value === undefined ? samples : withSample(samples, { at, value });
  return { load: add(series.load, firstNumber(valueOf(readings['load']))), rx: add(series.rx, firstNumber(valueOf(readings['rx']))), tx: add(series.tx, firstNumber(valueOf(readings['tx']))) };
}

function factText(name: string, value: unknown): string {
  if (typeof value === 'number' && /memory|size/.test(name)) return bytes(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map((one) => factText(name, one)).join(', ');
  return typeof value === 'object' && value !== null ? Object.values(value).map(String).join(' ') : String(value);
}

function Facts({
  machine,
  details,
  last,
}: {
  readonly machine: Machine;
  readonly details: Details | undefined;
  readonly last: Readings | undefined;
}): JSX.Element {
  const uptime = valueOf(last?.readings['uptime']);
  const groups = store.fleet?.groupsOf[machine.at] ?? [];
  return (
    <dl class="facts">
      <dt>Provider</dt>
      <dd>
        {machine.provider.name} <span class="dim">{machine.provider.type}</span>
      </dd>
      <dt>Type</dt>
      <dd>{machine.type}</dd>
      {groups.length > 0 && (
        <>
          <dt>Groups</dt>
          <dd>
            {groups.map((group) => (
              <button key={group} class="link" onClick={() => store.go({ q: `@${group}`, view: 'machines' })}>
                @{group}
              </button>
            ))}
          </dd>
        </>
      )}
      {typeof uptime === 'number' && (
        <>
          <dt>Up for</dt>
          <dd>{longSpan(uptime * 1000)}</dd>
        </>
      )}
      {Object.entries(details?.facts ?? {})
        .filter(([name]) => !ELSEWHERE.has(name))
        .map(([name, value]) => (
          <>
            <dt key={name}>{name}</dt>
            <dd class={name === 'uuid' || name === 'macs' ? 'mono' : ''}>{factText(name, value)}</dd>
          </>
        ))}
    </dl>
  );
}

function Addresses({ last }: { readonly last: Readings | undefined }): JSX.Element | null {
  const value = valueOf(last?.readings['ip']);
  if (!Array.isArray(value) || value.length === 0) return null;
  return <><h3>Addresses</h3><ul class="lines mono">{value.map((one) => <li key={String(one)}>{String(one)}</li>)}</ul></>;
}

function Disks({ last }: { readonly last: Readings | undefined }): JSX.Element | null {
  const value = valueOf(last?.readings['disk']);
  if (!Array.isArray(value) || value.length === 0) return null;
  return (
    <><h3>Disks</h3>
      <ul class="lines">{(value as readonly DiskRow[]).map(({ target, type, format, size, source }) => (
        <li key={target}><span class="pair"><b>{target}</b> <span class="dim">{[type, format].filter((one) => one !== undefined && one !== null).join(' ')}</span><span class="grow" />{size !== undefined && size !== null && bytes(Number(size))}</span>{source !== undefined && source !== null && <small class="mono">{source}</small>}</li>
      ))}
      </ul>
    </>
  );
}

/** Why readings are missing, each reason once. */
function Missing({ last }: { readonly last: Readings | undefined }): JSX.Element | null {
  const reasons = [...new Set(Object.values(last?.readings ?? {}).flatMap((one) => ('error' in one && one.error !== 'NOT SUPPORTED' && one.error !== 'WRONG STATE' ? [`${one.error}${one.detail === '' ? '' : `: ${one.detail}`}`] : [])))];
  return reasons.length === 0 ? null : <p class="wrong">{reasons.join('; ')}</p>;
}

export function Overview({ machine }: { readonly machine: Machine }): JSX.Element {
  const { isLost } = useStore();
  const { value, wrong } = useFetched<Details>(`instances/${segment(machine.name)}`, machine.state);
  const names = READINGS.filter((one) => machine.capabilities.includes(one) && machine.permissions.includes(one));
  const { last, series } = useReadings(machine.name, machine.state === 'on' ? names : names.filter((one) => one === 'disk'));
  const spanMs = POLL_MS * SAMPLES_KEPT;
  const inPercent = isShare(valueOf(last?.readings['load']));
  return (
    <div class={isLost ? 'old' : ''}>
      {wrong !== '' && <p class="wrong">{wrong}</p>}
      {value?.facts['error'] !== undefined && <p class="wrong">{String(value.facts['error'])}</p>}
      {machine.provider.stale !== null && <p class="note"><b>May be out of date.</b> {machine.provider.stale}</p>}
      {series.load.length > 0 && <Plot title={inPercent ? 'CPU' : 'Load'} spanMs={spanMs} format={(one) => (inPercent ? `${one.toFixed(1)} %` : one.toFixed(2))} lines={[{ label: '', samples: series.load, css: 'line-a' }]} />}
      {series.rx.length + series.tx.length > 0 && <Plot title="Traffic" spanMs={spanMs} format={(one) => `${bytes(one)}/s`} lines={[{ label: 'in', samples: rates(series.rx), css: 'line-a' }, { label: 'out', samples: rates(series.tx), css: 'line-b' }]} />}
      <Facts machine={machine} details={value} last={last} />
      <Addresses last={last} /><Disks last={last} /><Missing last={last} />
    </div>
  );
}
