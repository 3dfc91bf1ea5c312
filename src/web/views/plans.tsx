import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { get, post, segment, wordsOf } from '../io/http.js';
import type { Plan, Plans as PlanList, Run, Step, Steps, WholeRun } from '../model/answers.js';
import { columnsOf } from '../model/stages.js';
import { longSpan, moment } from '../model/words.js';
import { store, useStore } from '../store.js';
import { useFetched } from './details.js';
import { Dialog } from './dialog.js';
import { Icon } from './icons.js';
import { Name } from './order.js';

/** Plans: many machines switched in a certain order; what runs, and what would be run. */

const CSS: Readonly<Record<string, string>> = {
  waiting: 'dim', pausing: 'busy', running: 'busy', settling: 'busy', asking: 'paused', done: 'on', failed: 'crashed', skipped: 'dim', cancelled: 'dim', unknown: 'paused',
  sent: 'busy', already: 'dim', uncertain: 'paused',
};
const isOver = (run: Run | null): boolean => run === null || run.ended !== null;

function StateWord({ of }: { readonly of: string }): JSX.Element {
  return <span class={`state ${CSS[of] ?? 'dim'}`}>{['running', 'sent', 'settling', 'pausing'].includes(of) && <span class="ring" aria-hidden="true" />}{of === 'done' && <Icon of="done" size={13} />}{(of === 'failed' || of === 'uncertain') && <Icon of="warn" size={13} />}{of}</span>;
}

/** The machines of a stage, as they will be or are switched. */
function StageCard({ name, action, state, after, reason, counts, targets }: {
  readonly name: string; readonly action: string; readonly state: string | undefined; readonly after: readonly string[]; readonly reason: string | null;
  readonly counts: string; readonly targets: readonly { readonly instance: string; readonly words: string; readonly css: string }[];
}): JSX.Element {
  return (
    <article class={`stage ${state ?? ''}`}>
      <h3>{name}<span class="grow" />{state !== undefined && <StateWord of={state} />}</h3>
      <p class="dim">{[action, counts, after.length > 0 ? `after ${after.join(', ')}` : ''].filter((one) => one !== '').join(' · ')}</p>
      {reason !== null && <p class="crashed">{reason}</p>}
      <ul>{targets.slice(0, 100).map(({ instance, words, css }) => <li key={instance}>{instance !== '' && <Name of={instance} />}<span class={`state ${css}`}>{words}</span></li>)}{targets.length > 100 && <li class="dim">… and {targets.length - 100} more</li>}</ul>
    </article>
  );
}

function RunBoard({ whole }: { readonly whole: WholeRun }): JSX.Element {
  return (
    <div class="board" tabIndex={0} role="group" aria-label="Stages">{columnsOf(whole.stages).map((stages, index) => (
      <div class="column" key={index}>{stages.map(({ name, action, state, after, reason, targets: { ended, all } }) => (
        <StageCard
          key={name}
          name={name}
          action={action}
          state={state}
          after={after}
          reason={reason}
          counts={all === 0 ? '' : `${ended}/${all}`}
          targets={whole.targets.filter(({ stage }) => stage === name).map(({ instance, state: now, detail }) => ({ instance, words: detail === '' ? now : detail, css: CSS[now] ?? 'dim' }))}
        />
      ))}
      </div>
    ))}
    </div>
  );
}

function stepsByStage(steps: readonly Step[]): readonly (readonly [string, readonly Step[]])[] {
  const stages = new Map<string, Step[]>();
  for (const step of steps) stages.set(step.stage, [...stages.get(step.stage) ?? [], step]);
  return [...stages];
}

function StepBoard({ steps }: { readonly steps: readonly Step[] }): JSX.Element {
  return (
    <div class="board" tabIndex={0} role="group" aria-label="Stages to be run">{stepsByStage(steps).map(([stage, some]) => (
      <div class="column" key={stage}>
        <StageCard
          name={stage}
          action=""
          state={undefined}
          after={[]}
          reason={null}
          counts={some.filter(({ instance }) => instance === null).map(({ words }) => words).join(', ')}
          targets={some.filter(({ instance }) => instance !== null).map(({ instance, words, refused }) => ({ instance: instance!, words, css: refused ? 'crashed' : 'dim' }))}
        />
      </div>
    ))}
    </div>
  );
}

function RunDialog({ plan, close }: { readonly plan: string; close(): void }): JSX.Element {
  const { isLost } = useStore();
  const { value, wrong } = useFetched<Steps>(`plans/${segment(plan)}/preview`);
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const run = async (): Promise<void> => {
    setBusy(true);
    try {
      await post(`plans/${segment(plan)}/run`, {});
      store.runsChanged += 1;
      store.tell();
      close();
    } catch (error) {
      setProblem(wordsOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Run ${plan}`} close={close}>
      <div class="body">
        <p class="dim">This is what it would do now.</p>
        <ul class="targets" tabIndex={0} aria-label="What would be done">{value?.steps.map(({ stage, instance, words, refused }, index) => <li key={index}><span class="name">{instance ?? stage} {instance !== null && <span class="mono">{stage}</span>}</span><span class={`words ${refused ? 'crashed' : ''}`}>{words}</span></li>)}</ul>
        {(wrong !== '' || problem !== '') && <p class="wrong" role="alert">{problem === '' ? wrong : problem}</p>}
      </div>
      <footer><span class="grow" /><button autofocus onClick={close}>Cancel</button><button class="primary" disabled={isBusy || isLost || value === undefined} onClick={() => void run()}>Run plan</button></footer>
    </Dialog>
  );
}

function PlanButtons({ plan, openRun }: { readonly plan: Plan; openRun(): void }): JSX.Element {
  const { isLost } = useStore();
  const [wrong, setWrong] = useState('');
  const give = (path: string, body: unknown = {}): void => {
    setWrong('');
    post(path, body).then(() => { store.runsChanged += 1; store.tell(); }, (error: unknown) => setWrong(wordsOf(error)));
  };
  const { run, held, name } = plan;
  return (
    <div class="actions">
      {isOver(run) ? <button class="primary" disabled={isLost || held} onClick={openRun}>Run …</button> : (
        <>
          {run!.state === 'asking' && <button class="primary" disabled={isLost} onClick={() => give(`runs/${run!.id}/resume`)}>Go on</button>}
          <button disabled={isLost} onClick={() => give(`runs/${run!.id}/cancel`, { undo: false })}>Cancel the rest</button>
          <button disabled={isLost} onClick={() => give(`runs/${run!.id}/cancel`, { undo: true })}>Cancel and undo</button>
        </>
      )}
      <button disabled={isLost} onClick={() => give(`plans/${segment(name)}/${held ? 'release' : 'hold'}`)}>{held ? 'Release' : 'Hold'}</button>
      {wrong !== '' && <span class="crashed" role="alert">{wrong}</span>}
    </div>
  );
}

/** A run that is fetched again when the feed tells of it; also when it has said nothing of it for a while. */
function useRun(id: string | undefined): WholeRun | undefined {
  const { runsChanged } = useStore();
  const [whole, setWhole] = useState<WholeRun>();
  useEffect(() => {
    if (id === undefined) return undefined;
    const end = new AbortController();
    get<WholeRun>(`runs/${id}`, end.signal).then(setWhole, () => undefined);
    return () => end.abort();
  }, [id, runsChanged]);
  return whole?.run.id === id ? whole : undefined;
}

function OnePlan({ plan, triggers }: { readonly plan: Plan; readonly triggers: PlanList['triggers'] }): JSX.Element {
  const { now, runsChanged } = useStore();
  const [isRunOpen, setRunOpen] = useState(false);
  const whole = useRun(plan.run?.id);
  const steps = useFetched<Steps>(`plans/${segment(plan.name)}/preview`, runsChanged);
  return (
    <div class="plan">
      <header><h2>{plan.name}</h2>{plan.held && <span class="state paused">held</span>}<span class="grow" /><PlanButtons plan={plan} openRun={() => setRunOpen(true)} /></header>
      {triggers.map(({ name, type, words }) => <p key={name} class="dim trigger"><Icon of="clock" size={14} /> {name} <span class="mono">{type}</span> {words}</p>)}
      {whole !== undefined && (
        <>
          <h3 class="part">{whole.run.ended === null ? 'Under way' : 'Last run'} <StateWord of={whole.run.state} /> <span class="dim">{moment(whole.run.began, now)}, {whole.run.cause}{whole.run.ended === null ? `, for ${longSpan(now - whole.run.began)}` : `, took ${longSpan(whole.run.ended - whole.run.began)}`}</span></h3>
          {whole.run.reason !== null && <p class="crashed">{whole.run.reason}</p>}
          <RunBoard whole={whole} />
        </>
      )}
      {isOver(plan.run) && <><h3 class="part">To be run <span class="dim">as of now</span></h3>{steps.wrong === '' ? steps.value !== undefined && <StepBoard steps={steps.value.steps} /> : <p class="wrong">{steps.wrong}</p>}</>}
      {isRunOpen && <RunDialog plan={plan.name} close={() => setRunOpen(false)} />}
    </div>
  );
}

export function Plans(): JSX.Element {
  const { place, runsChanged } = useStore();
  const { value, wrong } = useFetched<PlanList>('plans', runsChanged);
  const plans = value?.plans ?? [];
  const open = plans.find(({ name }) => name === place.plan) ?? plans.find(({ run }) => !isOver(run)) ?? plans[0];
  return (
    <section class="card scroll" aria-label="Plans">
      <div class="page wide">
        <h1>Plans</h1>
        {wrong !== '' && <p class="wrong">{wrong}</p>}
        {value !== undefined && plans.length === 0 && <p class="dim">There are no plans that you may use.</p>}
        <div class="chips">
          {plans.map((plan) => (
            <button key={plan.name} aria-pressed={plan === open} onClick={() => store.go({ plan: plan.name })}>
              {plan.name}{' '}
              {plan.held ? (
                <span class="state paused">held</span>
              ) : plan.run === null ? (
                <span class="dim">idle</span>
              ) : (
                <StateWord of={plan.run.state} />
              )}
            </button>
          ))}
        </div>
        {open !== undefined && (
          <OnePlan
            key={open.name}
            plan={open}
            triggers={(value?.triggers ?? []).filter(({ plans: begun }) => begun.includes(open.name))}
          />
        )}
      </div>
    </section>
  );
}
