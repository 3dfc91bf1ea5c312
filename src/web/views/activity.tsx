import type { JSX } from 'preact';
import type { PowerState } from '../../drivers/driver.js';
import type { EventRow } from '../../gateways/web/messages.js';
import type { Events } from '../model/answers.js';
import { eventLine, type EventLine } from '../model/events.js';
import { moment } from '../model/words.js';
import { store, useStore } from '../store.js';
import { useFetched } from './details.js';
import { StateIcon } from './icons.js';
import { TaskCard } from './progress.js';

/** What has happened and what goes on. */

function Mark({ line }: { readonly line: EventLine }): JSX.Element {
  const state: PowerState = line.state ?? (line.isBad ? 'crashed' : 'off');
  return <span class={`state mark ${line.state === undefined && !line.isBad ? 'plain' : state}`} aria-hidden="true">{line.state === undefined && !line.isBad ? <i /> : <StateIcon of={state} />}</span>;
}

export function Timeline({ events, withNames }: { readonly events: readonly EventRow[]; readonly withNames: boolean }): JSX.Element {
  const { now } = useStore();
  const lines = events.flatMap((event) => eventLine(event) ?? []);
  if (lines.length === 0) return <p class="dim quiet-note">Nothing has happened since the server began to remember.</p>;
  return (
    <ol class="timeline">{lines.map((line) => (
      <li key={line.cursor}>
        <time>{moment(line.at, now)}</time><Mark line={line} />
        <span>{withNames && line.instance !== undefined && <><button class="link" onClick={() => store.go({ machine: line.instance!, view: 'machines' })}>{line.instance}</button> </>}<span class={line.isBad ? 'crashed' : ''}>{line.words}</span>{line.more !== '' && <span class="dim"> {line.more}</span>}</span>
      </li>
    ))}
    </ol>
  );
}

export function Activity(): JSX.Element {
  const { known } = useStore();
  const { value, wrong } = useFetched<Events>('events?limit=200');
  const tasks = [...(known?.tasks.values() ?? [])]
    .reverse()
    .sort((one, other) => Number(other.ended === null) - Number(one.ended === null) || other.began - one.began)
    .slice(0, 20);
  const live = known?.events ?? [];
  const seen = new Set(live.map(({ cursor }) => cursor));
  const all = [...live, ...[...value?.events ?? []].reverse().filter(({ cursor }) => !seen.has(cursor))];
  return (
    <section class="card scroll" aria-label="Activity">
      <div class="page">
        <h1>Activity</h1>
        {tasks.length > 0 && <h2>Tasks</h2>}
        <div class="tasks">{tasks.map((task) => <TaskCard key={task.id} task={task} />)}</div>
        <h2>What has happened</h2>
        {wrong !== '' && <p class="wrong">{wrong}</p>}
        <Timeline events={all} withNames />
      </div>
    </section>
  );
}
