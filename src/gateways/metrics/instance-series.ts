import { POWER_STATES, type PowerState } from '../../drivers/driver.js';
import type { InstanceState } from '../../instances/overview.js';
import { OUTPUT_CHUNK } from '../../kit/limits.js';
import { Slices } from '../../kit/slices.js';

/**
 * The series of single instances, in the text form of Prometheus. All that is alike in a hundred
 * thousand lines is made once: prom-client, which words all other figures, takes twenty times as long
 * for these (1 s of a core for 10,000 instances), and keeps everybody else waiting meanwhile.
 */

/** Of one instance: a state set, of which one is 1, and since when. */
export const SERIES_PER_INSTANCE = POWER_STATES.length + 1;

const STATE = 'argo_instance_state';
const SINCE = 'argo_instance_state_since_timestamp_seconds';

/** For each state, what stands in its eight lines behind the instance's labels. */
const STATE_TAILS = new Map<PowerState, readonly string[]>(POWER_STATES.map((now) => [now, POWER_STATES.map((state) => `",state="${state}"} ${state === now ? 1 : 0}\n`)]));

/** @param states yields the same instances each time it is called */
export async function* instanceSeries(states: () => Iterable<InstanceState>): AsyncGenerator<string> {
  yield `# HELP ${STATE} The state in which the instance was last seen: 1 at that state, 0 at all others.\n# TYPE ${STATE} gauge\n`;
  yield* inChunks(states(), (labels, { state }) => {
    const head = `${STATE}{${labels}`;
    let lines = '';
    for (const tail of STATE_TAILS.get(state)!) lines += head + tail;
    return lines;
  });
  yield `# HELP ${SINCE} When the instance was first seen in its state.\n# TYPE ${SINCE} gauge\n`;
  yield* inChunks(states(), (labels, { sinceMs }) => `${SINCE}{${labels}"} ${sinceMs / 1000}\n`);
}

/** @param words is given the labels of an instance, without the quote at their end */
async function* inChunks(states: Iterable<InstanceState>, words: (labels: string, state: InstanceState) => string): AsyncGenerator<string> {
  const slices = new Slices();
  let chunk = '';
  for (const one of states) {
    chunk += words(`provider="${escaped(one.provider)}",instance="${escaped(one.name)}`, one);
    if (chunk.length >= OUTPUT_CHUNK) {
      yield chunk;
      chunk = '';
    }
    if (slices.isOver()) await slices.pause();
  }
  if (chunk !== '') yield chunk;
}

const escaped = (value: string): string => (/[\\"\n]/.test(value) ? value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n') : value);
