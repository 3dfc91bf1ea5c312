import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { segment } from '../io/http.js';
import { clock } from '../model/words.js';
import { Icon, StateMark } from '../views/icons.js';
import type { End } from './ends.js';
import { TITLES } from './place.js';
import type { ConsoleSession } from './session.js';
import { Tools } from './tools.js';

/** The page of one console: a bar, and below it what is shown, with words over it where that is not the machine's. */

/** Draws again when the session has something new. */
function useSession(session: ConsoleSession): void {
  const [, again] = useState(0);
  useEffect(() => session.subscribe(() => again((count) => count + 1)), [session]);
}

function Status({ session }: { readonly session: ConsoleSession }): JSX.Element {
  const { phase: { name }, silentSince } = session;
  const word = silentSince !== undefined ? 'no answer' : name === 'connecting' ? 'connecting …' : name;
  return <span class={`live ${silentSince !== undefined || name === 'ended' ? 'lost' : name === 'open' ? '' : 'loading'}`} role="status"><i aria-hidden="true" />{word}</span>;
}

function Bar({ session }: { readonly session: ConsoleSession }): JSX.Element {
  const { place: { instance, kind, viewOnly }, machine } = session;
  return (
    <header class="console-bar">
      <a class="console-name" href={`/#machine=${segment(instance)}`} title="Its details"><Icon of="mark" size={16} /><h1>{instance}</h1></a>
      {machine !== undefined && <StateMark of={machine.state} />}
      <span class="dim nowrap">{TITLES[kind]}{viewOnly && ', to look at'}</span>
      <Status session={session} />
      <Tools session={session} />
    </header>
  );
}

/** What one has to know while it is open. */
function Notes({ session }: { readonly session: ConsoleSession }): JSX.Element | null {
  const { others, phase, silentSince, terminal } = session;
  const [isRead, setRead] = useState(others);
  if (silentSince !== undefined) {
    return <p class="lost-note" role="alert"><Icon of="warn" /><span><b>The server does not answer.</b> What is shown is as of {clock(silentSince, true)}; what you type may be lost.</span><span class="grow" /><button onClick={() => void session.connect()}>Reconnect</button></p>;
  }
  if (phase.name !== 'open') return null;
  return (
    <>
      {others.length > 0 && isRead !== others && (
        <p class="console-note" role="status"><Icon of="person" /><span>{others.map(({ account, since }) => `${account} has had it open since ${clock(since)}`).join('; ')}.</span><span class="grow" /><button class="bare icon-only" aria-label="I know" onClick={() => setRead(others)}><Icon of="close" size={14} /></button></p>
      )}
      {terminal?.isBlank === true && <p class="console-note dim">Open, and nothing has come yet. A console that waits for somebody to log in shows its prompt after Enter.</p>}
    </>
  );
}

function Ended({ session, end: { title, text, help } }: { readonly session: ConsoleSession; readonly end: End }): JSX.Element {
  const { place: { instance }, machine } = session;
  const isOff = machine !== undefined && machine.state !== 'on';
  return (
    <div class="console-end" role="alert">
      <h2>{title}</h2>
      {text !== '' && <p>{text}</p>}
      {isOff && <p><a href={`/#machine=${segment(instance)}`}>{instance}</a> is <StateMark of={machine.state} /></p>}
      <p class="actions">
        {help === 'login' && <a class="button" href="/" target="_blank" rel="noopener">Log in</a>}
        {help === 'take' && <button class="danger" onClick={() => void session.connect(true)}>Take it over</button>}
        <button class={help === undefined ? 'primary' : ''} onClick={() => void session.connect()}>Reconnect</button>
      </p>
    </div>
  );
}

export function ConsolePage({ session }: { readonly session: ConsoleSession }): JSX.Element {
  useSession(session);
  const box = useRef<HTMLElement>(null);
  const { phase, silentSince } = session;
  useEffect(() => {
    // before it is opened: what draws there measures it
    box.current!.prepend(session.host);
    void session.connect();
  }, [session]);
  return (
    <div class={`console is-${phase.name} ${silentSince === undefined ? '' : 'is-silent'}`}>
      <Bar session={session} />
      <Notes session={session} />
      <main ref={box} class="stage-box">
        {phase.name === 'connecting' && <div class="console-end"><p class="state starting"><span class="ring" aria-hidden="true" />Opening …</p></div>}
        {phase.name === 'ended' && <Ended session={session} end={phase.end} />}
      </main>
    </div>
  );
}

/** The address names nothing. */
export const NoPlace = (): JSX.Element => (
  <main class="login"><p class="note">This address names no console. <a href="/">All machines</a></p></main>
);
