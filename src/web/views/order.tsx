import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PowerRequest, PreviewRequest, PreviewRow, OrderRow } from '../../gateways/web/messages.js';
import { onceKey, post, wordsOf } from '../io/http.js';
import type { Preview } from '../model/answers.js';
import { buttonOf, hasWays, modeOf, sortedPreview, sums, titleOf, waysOf, ACTIONS, type Way } from '../model/orders.js';
import { typed } from '../../kit/text.js';
import { number, plural } from '../model/words.js';
import { store, useStore, type OrderDraft } from '../store.js';
import { Dialog } from './dialog.js';

/** More are not drawn; their sums are. */
const ROWS_SHOWN = 200;
/** How old what is shown may be while machines change, ms. */
const REFRESH_MS = 2000;
const PATIENCE_S = 60;

type State = { readonly rows: readonly PreviewRow[] } | { readonly wrong: string } | undefined;

/** What the server would do, asked again when some of the machines have changed. */
function usePreview({ action, names }: OrderDraft, way: Way['id'], seconds: number): State {
  const [state, setState] = useState<State>(undefined);
  useEffect(() => {
    const end = new AbortController();
    let asked: string | undefined;
    const ask = async (): Promise<void> => {
      const { fleet, isLost } = store;
      const now = names.map((name) => { const at = fleet?.named(name); return at === undefined ? 'gone' : fleet!.stateOf(at); }).join();
      if (now === asked || isLost) return;
      asked = now;
      const body: PreviewRequest = { targets: names.map(typed), action, ...(hasWays(action) ? { mode: modeOf(way, seconds) } : {}) };
      try {
        const { rows } = await post<Preview>('power/preview', body, end.signal);
        setState({ rows });
      } catch (error) {
        asked = undefined;
        if (!end.signal.aborted) setState({ wrong: wordsOf(error) });
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), REFRESH_MS);
    return () => {
      clearInterval(timer);
      end.abort();
    };
  }, [action, names, way, seconds]);
  return state;
}

function Ways({ draft, way, setWay, seconds, setSeconds }: {
  readonly draft: OrderDraft; readonly way: Way['id']; setWay(way: Way['id']): void; readonly seconds: number; setSeconds(seconds: number): void;
}): JSX.Element {
  const { fleet } = store;
  const positions = draft.names.flatMap((name) => fleet?.named(name) ?? []);
  const canForce = positions.length === 0 || positions.some((at) => fleet!.machine(at).capabilities.includes(`${draft.action} --force`));
  return (
    <fieldset class="ways"><legend class="hide">How</legend>
      {waysOf(draft.action, seconds).filter(({ id }) => id === 'soft' || canForce).map(({ id, title, text }) => (
        <label key={id} class={`choice ${id}`}>
          <input type="radio" name="way" checked={way === id} autofocus={way === id} onChange={() => setWay(id)} />
          <b>{title}</b><small>{text}</small>
          {id === 'both' && way === id && (
            <span class="seconds">Plug after <input type="number" min={1} max={3600} value={seconds} aria-label="Seconds until the plug is pulled" onInput={(event) => setSeconds(Math.min(3600, Math.max(1, Math.round(Number(event.currentTarget.value)) || 1)))} /> s</span>
          )}
        </label>
      ))}
    </fieldset>
  );
}

const EFFECTS: Readonly<Record<PreviewRow['effect'], string>> = { order: '', nothing: 'dim', refused: 'crashed' };

function PreviewList({ state, draft }: { readonly state: State; readonly draft: OrderDraft }): JSX.Element {
  if (state === undefined) return <p class="dim sums" aria-live="polite">Asking what would be done …</p>;
  if ('wrong' in state) return <p class="wrong" role="alert">{state.wrong}</p>;
  const { order, nothing, refused } = sums(state.rows);
  return (
    <>
      <p class="sums" aria-live="polite">
        <b>{number(order)} {ACTIONS[draft.action].will}</b>{nothing > 0 && <span class="dim"> · {number(nothing)} {nothing === 1 ? 'needs' : 'need'} nothing</span>}{refused > 0 && <span class="state crashed"> · {number(refused)} refused</span>}
      </p>
      <ul class="targets" tabIndex={0} aria-label="What would be done">
        {sortedPreview(state.rows).slice(0, ROWS_SHOWN).map(({ instance, words, effect }) => <li key={instance}><Name of={instance} /><span class={`words ${EFFECTS[effect]}`}>{words}</span></li>)}
        {state.rows.length > ROWS_SHOWN && <li class="dim">… and {number(state.rows.length - ROWS_SHOWN)} more</li>}
      </ul>
    </>
  );
}

/** A full name, its provider less loud. */
export function Name({ of }: { readonly of: string }): JSX.Element {
  const slash = of.indexOf('/');
  return slash === -1 ? <span class="name">{of}</span> : <span class="name">{of.slice(slash + 1)} <span class="mono">{of.slice(0, slash)}</span></span>;
}

/** Sends an order; what is sent again after an answer that never came is begun once. */
function useSending(draft: OrderDraft): { readonly send: (request: Omit<PowerRequest, 'once' | 'targets' | 'action'>) => void; readonly isBusy: boolean; readonly wrong: string } {
  const [isBusy, setBusy] = useState(false);
  const [wrong, setWrong] = useState('');
  const once = useRef(onceKey());
  const begin = async (request: Omit<PowerRequest, 'once' | 'targets' | 'action'>): Promise<void> => {
    setBusy(true);
    setWrong('');
    try {
      const task = await post<OrderRow>('power', { ...request, action: draft.action, targets: draft.names.map(typed), once: once.current } satisfies PowerRequest);
      const known = store.known?.tasks.get(task.id);
      // the feed may have been quicker
      store.setTask(known ?? task);
      store.draft = undefined;
      store.openTask = task.id;
      store.tell();
    } catch (error) {
      setWrong(wordsOf(error));
      setBusy(false);
    }
  };
  return { send: (request) => void begin(request), isBusy, wrong };
}

export function OrderDialog({ draft }: { readonly draft: OrderDraft }): JSX.Element {
  const { isLost } = useStore();
  const { action, names } = draft;
  const [way, setWay] = useState<Way['id']>(draft.way);
  const [seconds, setSeconds] = useState(PATIENCE_S);
  const [typed, setTyped] = useState('');
  const preview = usePreview(draft, way, seconds);
  const { send, isBusy, wrong } = useSending(draft);
  const mustType = way === 'hard' && names.length > 1;
  const isReady = !isLost && !isBusy && (!mustType || typed.trim() === String(names.length));
  const close = (): void => {
    store.draft = undefined;
    store.tell();
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    if (isReady) send(hasWays(action) ? { mode: modeOf(way, seconds) } : {});
  };
  // Enter in a field sends: never what can't be taken back
  const key = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && way === 'hard' && !mustType && !(event.target instanceof HTMLButtonElement)) event.preventDefault();
  };
  return (
    <Dialog title={titleOf(action, names)} close={close}>
      <form onSubmit={submit} onKeyDown={key}>
        <div class="body">
          {hasWays(action) && <Ways draft={draft} way={way} setWay={setWay} seconds={seconds} setSeconds={setSeconds} />}
          <PreviewList state={preview} draft={draft} />
          {wrong !== '' && <p class="wrong" role="alert">{wrong}</p>}
          {isLost && <p class="wrong" role="alert">No connection: nothing can be ordered now.</p>}
        </div>
        {mustType && <label class="type">Type <b>{names.length}</b> to go on <input value={typed} onInput={(event) => setTyped(event.currentTarget.value)} inputMode="numeric" autocomplete="off" /></label>}
        <footer>
          <span class="dim">{plural(names.length, 'machine')}</span><span class="grow" />
          <button type="button" onClick={close}>Cancel</button>
          <button type="submit" class={way === 'hard' ? 'danger' : 'primary'} disabled={!isReady} autofocus={!hasWays(action)}>{isBusy ? 'Sending …' : wrong === '' ? buttonOf(action, way) : 'Send again'}</button>
        </footer>
      </form>
    </Dialog>
  );
}
