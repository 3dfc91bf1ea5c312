import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { OrderRow, TaskRow, TaskTarget, WorkRow } from '../../gateways/web/messages.js';
import { post, wordsOf } from '../io/http.js';
import { failuresAsText, hasFailed, hasWays, progressOf, sortedTargets } from '../model/orders.js';
import { openOf, taskTitle, workWords } from '../model/tasks.js';
import { moment, number } from '../model/words.js';
import { store, useStore } from '../store.js';
import { Dialog } from './dialog.js';
import { Icon } from './icons.js';
import { Name } from './order.js';

const ROWS_SHOWN = 200;

const WORDS: Readonly<Record<TaskTarget['state'], readonly [css: string, words: string]>> = {
  waiting: ['dim', 'waiting'], sent: ['busy', 'under way'], done: ['on', 'done'], already: ['dim', 'was so already'], failed: ['crashed', 'failed'], uncertain: ['paused', 'uncertain'], cancelled: ['dim', 'cancelled'],
};

function TargetWords({ target: { state, detail } }: { readonly target: TaskTarget }): JSX.Element {
  const [css, words] = WORDS[state];
  return <span class={`words state ${css}`}>{state === 'done' && <Icon of="done" size={13} />}{state === 'sent' && <span class="ring" aria-hidden="true" />}{detail === '' ? words : detail}</span>;
}

function TargetList({ task }: { readonly task: OrderRow }): JSX.Element {
  return (
    <ul class="targets" tabIndex={0} aria-label="Progress of each">
      {sortedTargets(task.targets)
        .slice(0, ROWS_SHOWN)
        .map((target) => (
          <li key={target.instance}>
            <Name of={target.instance} />
            <TargetWords target={target} />
          </li>
        ))}
      {task.targets.length > ROWS_SHOWN && <li class="dim">… and {number(task.targets.length - ROWS_SHOWN)} more</li>}
    </ul>
  );
}

function OrderBar({ task }: { readonly task: OrderRow }): JSX.Element {
  const { all, over, done, failed, already } = progressOf(task);
  return (
    <div class="bar">
      <progress max={Math.max(1, all)} value={over} aria-label="Progress" class={failed > 0 ? 'bad' : ''} />
      <p><b>{number(done)} of {number(all)}</b> done{already > 0 && <span class="dim"> · {number(already)} needed nothing</span>}{failed > 0 && <span class="state crashed"> · {number(failed)} failed</span>}</p>
    </div>
  );
}

function WorkBar({ task }: { readonly task: WorkRow }): JSX.Element {
  const { options, detail, ended, progress } = task;
  const isBad = openOf(task).failed > 0;
  return (
    <div class="bar">
      <progress max={1} value={ended === null ? progress : 1} aria-label="Progress" class={isBad ? 'bad' : ''} />
      <p><b class={isBad ? 'state crashed' : ''}>{workWords(task)}</b>{options !== '' && <span class="dim options"> · {options}</span>}</p>
      {detail !== '' && <p class="failure"><span class="crashed">{detail}</span></p>}
    </div>
  );
}

const Bar = ({ task }: { readonly task: TaskRow }): JSX.Element => (task.kind === 'order' ? <OrderBar task={task} /> : <WorkBar task={task} />);

function markRead(id: string): void {
  store.read.add(id);
  store.tell();
}

/** The failed ones as a new order. */
function again(task: OrderRow, way: 'soft' | 'hard'): void {
  const { fleet } = store;
  if (fleet === undefined) return;
  markRead(task.id);
  store.openTask = undefined;
  store.order(task.action, task.targets.filter(hasFailed).flatMap(({ instance }) => fleet.named(instance) ?? []), way);
}

function FailureButtons({ task }: { readonly task: OrderRow }): JSX.Element | null {
  const { isLost } = useStore();
  const [isCopied, setCopied] = useState(false);
  if (task.ended === null || !task.targets.some(hasFailed)) return null;
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(failuresAsText(task));
    setCopied(true);
  };
  return (
    <>
      <button disabled={isLost} onClick={() => again(task, 'soft')}>Try again</button>
      {hasWays(task.action) && <button disabled={isLost} onClick={() => again(task, 'hard')}>{task.action === 'stop' ? 'Plug …' : 'Reset …'}</button>}
      {'clipboard' in navigator && <button onClick={() => void copy().catch(() => undefined)}>{isCopied ? 'Copied' : 'Copy'}</button>}
    </>
  );
}

function CancelButton({ task }: { readonly task: TaskRow }): JSX.Element | null {
  const { isLost } = useStore();
  const [words, setWords] = useState(task.kind === 'order' ? 'Cancel the rest' : 'Cancel');
  if (task.ended !== null) return null;
  const cancel = (): void => {
    setWords('Cancelling …');
    post<TaskRow | undefined>(`tasks/${task.id}/cancel`, {}).then((row) => { if (row !== undefined) store.setTask(row); }, (error: unknown) => setWords(wordsOf(error)));
  };
  return <button disabled={isLost} onClick={cancel}>{words}</button>;
}

const Buttons = ({ task }: { readonly task: TaskRow }): JSX.Element => <>{task.kind === 'order' && <FailureButtons task={task} />}<CancelButton task={task} /></>;

/** Whose it is, where that is somebody else. */
function ByWhom({ task: { account } }: { readonly task: TaskRow }): JSX.Element | null {
  const { session } = useStore();
  return account === session?.account ? null : <span class="dim">{account}</span>;
}

/** A task among others: its title opens it. */
export function TaskCard({ task, isInTray = false }: { readonly task: TaskRow; readonly isInTray?: boolean }): JSX.Element {
  const { now } = useStore();
  const open = (): void => {
    store.openTask = task.id;
    store.tell();
  };
  return (
    <article class={!isInTray && openOf(task).failed > 0 ? 'bad' : ''}>
      <h3><button class="link" onClick={open}>{taskTitle(task)}</button><ByWhom task={task} /><span class="dim">{moment(task.began, now)}</span></h3>
      <Bar task={task} />
      {isInTray && task.kind === 'order' && task.targets.filter(hasFailed).slice(0, 5).map((target) => <p key={target.instance} class="failure"><Name of={target.instance} /> <span class="crashed">{target.detail}</span></p>)}
      <div class="actions"><Buttons task={task} />{isInTray && task.ended !== null && <button class="bare" onClick={() => markRead(task.id)}>Read</button>}</div>
    </article>
  );
}

export function ProgressDialog({ task }: { readonly task: TaskRow }): JSX.Element {
  const isOver = task.ended !== null;
  const close = (): void => {
    if (isOver) store.read.add(task.id);
    store.openTask = undefined;
    store.tell();
  };
  return (
    <Dialog title={taskTitle(task)} close={close}>
      <div class="body"><Bar task={task} />{task.kind === 'order' && <TargetList task={task} />}</div>
      <footer><Buttons task={task} /><span class="grow" /><button autofocus class={isOver ? 'primary' : ''} onClick={close}>{isOver ? 'Close' : 'Go on in the background'}</button></footer>
    </Dialog>
  );
}

/** What goes on in the background, and what failed there until somebody has read it. */
export function Tray(): JSX.Element | null {
  const { isTrayOpen, known, unread } = useStore();
  if (!isTrayOpen) return null;
  const running = [...known?.tasks.values() ?? []].filter(({ ended }) => ended === null);
  const tasks = [...unread, ...running].sort((one, other) => other.began - one.began);
  return (
    <aside class="tray" aria-label="Tasks">
      {tasks.length === 0 && <p class="dim">Nothing is under way, and nothing failed that you have not read.</p>}
      {tasks.map((task) => <TaskCard key={task.id} task={task} isInTray />)}
    </aside>
  );
}
