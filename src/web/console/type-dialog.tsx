import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Dialog } from '../views/dialog.js';
import type { Display } from './display.js';
import type { ConsoleSession } from './session.js';

/** A text for the machine, from wherever one has it: no browser lets a page read what was copied without asking. */

/** Characters; a screen takes three minutes for as many. */
const MOST_TEXT = 4096;

interface Props {
  readonly session: ConsoleSession;
  readonly display: Display;
  close(): void;
}

export function TypeDialog({ session, display, close }: Props): JSX.Element {
  const { screen, clipboard, place: { instance } } = session;
  const field = useRef<HTMLTextAreaElement>(null);
  const [typing, setTyping] = useState<AbortController>();
  const [lost, setLost] = useState('');
  useEffect(() => field.current?.focus(), []);
  const leave = (): void => {
    typing?.abort();
    close();
  };
  useEffect(() => () => typing?.abort(), [typing]);
  const type = async (): Promise<void> => {
    const stop = new AbortController();
    setTyping(stop);
    const unsure = await display.type(field.current!.value, stop.signal).catch(() => undefined);
    if (unsure === undefined) return;
    setTyping(undefined);
    if (unsure === '') close();
    else setLost(unsure);
  };
  const put = (): void => {
    screen?.putIntoClipboard(field.current!.value);
    close();
  };
  return (
    <Dialog title={screen ? `Type into ${instance}` : `Paste into ${instance}`} close={leave}>
      <div class="body">
        <textarea ref={field} class="console-text mono" rows={8} maxLength={MOST_TEXT} aria-label="The text" spellcheck={false} autocapitalize="none" readOnly={typing !== undefined} />
        {screen && <p class="dim"><small>It is typed key by key, for the layout of a US keyboard: where the machine has another one, other characters come out.</small></p>}
        {lost !== '' && <p class="wrong" role="alert">No key of that layout makes these, and they may be missing: {lost}</p>}
        {clipboard !== '' && <><h3>What {instance} has copied</h3><textarea class="console-text mono" rows={3} readOnly aria-label={`What ${instance} has copied`} value={clipboard} /></>}
      </div>
      <footer>
        <button class="primary" disabled={typing !== undefined} onClick={() => void type()}>{typing ? 'Typing …' : screen ? 'Type it' : 'Paste'}</button>
        {screen && <button disabled={typing !== undefined} title="Needs an agent in the machine that takes it" onClick={put}>Put into its clipboard</button>}
        <span class="grow" /><button onClick={leave}>{typing ? 'Stop' : 'Cancel'}</button>
      </footer>
    </Dialog>
  );
}
