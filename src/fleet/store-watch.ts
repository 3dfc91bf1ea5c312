import { BUS_STORE_TIMEOUT } from '../kit/fleet-limits.js';
import type { Log } from '../kit/log.js';
import { infoSubject, STREAM_NOT_FOUND } from './bus-store.js';
import type { Bus } from './contract.js';
import { isApart, type Part } from './parts.js';
import { faultsOf, storeLayout, type StoreStream } from './store-layout.js';
import { AUDIT_STREAM } from './subjects.js';

/**
 * Says in the log, each time that the bus is reached, which of its buckets and streams are not as this program needs them: who
 * writes to one of another layout is refused, or keeps what nobody reads. Orders need none of them.
 * @param roles what this server is in the fleet: fronts have an audit of theirs there
 * @returns ends it
 */
export function watchStore(bus: Pick<Bus, 'trouble' | 'onChange' | 'request'>, roles: ReadonlySet<Part>, log: Log): () => void {
  const ending = new AbortController();
  const told = new Map<string, string>();
  const wanted = storeLayout().filter(({ stream }) => roles.has('front') || stream !== AUDIT_STREAM);
  const look = (): void => {
    if (bus.trouble !== undefined) return;
    for (const one of wanted) {
      // what cannot be asked for is not known to be wrong
      void faultsOn(bus, one, isApart(roles), ending.signal).then((faults) => {
        const words = faults.join('; ');
        if (words !== '' && words !== told.get(one.stream)) log('warn', 'the bus\'s store is not as it has to be', { store: one.title, reason: words });
        told.set(one.stream, words);
      }, () => undefined);
    }
  };
  const forget = bus.onChange(look);
  look();
  return () => {
    forget();
    ending.abort();
  };
}

/** @throws BusError, the signal's reason; SyntaxError where the answer is none */
async function faultsOn(bus: Pick<Bus, 'request'>, one: StoreStream, asksApart: boolean, signal: AbortSignal): Promise<string[]> {
  const { data } = await bus.request(infoSubject(one.stream, asksApart), new Uint8Array(), {}, BUS_STORE_TIMEOUT, signal);
  const { config, error } = JSON.parse(Buffer.from(data).toString()) as { readonly config?: object; readonly error?: { readonly err_code?: number } };
  if (error?.err_code === STREAM_NOT_FOUND) return faultsOf(one, undefined);
  return config === undefined ? [] : faultsOf(one, config);
}
