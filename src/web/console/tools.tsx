import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SpareKey } from './display.js';
import type { Screen } from './screen.js';
import type { ConsoleSession } from './session.js';
import type { Terminal } from './terminal.js';
import { TypeDialog } from './type-dialog.js';

/** What is in the bar beside the name: what a keyboard and a browser would keep one from. */

/** Key events go to the machine, Tab too. These three lead out, as in other viewers of screens. */
const isWayOut = (event: KeyboardEvent): boolean => event.ctrlKey && event.altKey && event.code === 'Home';
const WAY_OUT = 'Ctrl+Alt+Home';

type LockableKeyboard = Navigator & { readonly keyboard?: { lock?(): Promise<void> } };

/** Nearly all keys are the machine's while it has the whole screen, where the browser can do that. */
async function enterFullScreen(): Promise<void> {
  await document.documentElement.requestFullscreen();
  await (navigator as LockableKeyboard).keyboard?.lock?.().catch(() => undefined);
}

function FullScreenButton({ session }: { readonly session: ConsoleSession }): JSX.Element | null {
  const [isFull, setFull] = useState(document.fullscreenElement !== null);
  useEffect(() => {
    const changed = (): void => setFull(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', changed);
    return () => document.removeEventListener('fullscreenchange', changed);
  }, []);
  if (!document.fullscreenEnabled) return null;
  const toggle = (): void => {
    void (isFull ? document.exitFullscreen() : enterFullScreen()).catch(() => undefined).then(() => session.focus());
  };
  return <button aria-pressed={isFull} onClick={toggle}>Full screen</button>;
}

function KeysMenu({ keys, done }: { readonly keys: readonly SpareKey[]; done(): void }): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    const away = (event: Event): void => {
      if (!(event.target instanceof Node) || box.current?.contains(event.target) !== true) setOpen(false);
    };
    addEventListener('pointerdown', away);
    return () => removeEventListener('pointerdown', away);
  }, [isOpen]);
  const press = (key: SpareKey): void => {
    key.press();
    // a key may be wanted ten times; a finger does not want its keyboard up and down each time
    if (matchMedia('(pointer: fine)').matches) {
      setOpen(false);
      done();
    }
  };
  const escape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || !isOpen) return;
    setOpen(false);
    box.current?.querySelector('button')?.focus();
  };
  return (
    <div class="actions" ref={box} onKeyDown={escape}>
      <button aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>Keys</button>
      {isOpen && <div class="menu spare-keys" role="group" aria-label="Keys to press">{keys.map((key) => <button key={key.label} onClick={() => press(key)}>{key.label}</button>)}</div>}
    </div>
  );
}

function ScreenTools({ screen, session }: { readonly screen: Screen; readonly session: ConsoleSession }): JSX.Element {
  const after = (then: () => void) => (): void => {
    then();
    session.changed();
    screen.focus();
  };
  const save = async (): Promise<void> => {
    const picture = await screen.picture();
    if (picture === null) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(picture);
    link.download = `${session.place.instance.replaceAll(/[^\w.-]/g, '_')}.png`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <>
      {!session.place.viewOnly && (
        <>
          <button disabled={screen.viewOnly} onClick={after(() => screen.pressCtrlAltDel())}>Ctrl+Alt+Del</button>
          {!screen.viewOnly && <KeysMenu keys={screen.keys} done={() => screen.focus()} />}
          <button aria-pressed={screen.viewOnly} title="No key and no click goes to the machine" onClick={after(() => { screen.viewOnly = !screen.viewOnly; })}>Look only</button>
        </>
      )}
      <button aria-pressed={!screen.isScaled} title="A pixel of the machine is a pixel here" onClick={after(() => { screen.isScaled = !screen.isScaled; })}>1:1</button>
      <button onClick={() => void save()}>Save picture</button>
    </>
  );
}

function TerminalTools({ terminal }: { readonly terminal: Terminal }): JSX.Element {
  const after = (then: () => void) => (): void => {
    then();
    terminal.focus();
  };
  return (
    <>
      <KeysMenu keys={terminal.keys} done={() => terminal.focus()} />
      <button disabled={terminal.selection === ''} title="Ctrl+Shift+C" onClick={() => terminal.copy()}>Copy</button>
      <button aria-label="A−, smaller text" onClick={after(() => terminal.changeFont(-1))}>A−</button>
      <button aria-label="A+, larger text" onClick={after(() => terminal.changeFont(1))}>A+</button>
    </>
  );
}

export function Tools({ session }: { readonly session: ConsoleSession }): JSX.Element | null {
  const { screen, terminal, phase, place } = session;
  const [isTyping, setTyping] = useState(false);
  useEffect(() => {
    // when the dialog has gone: it gives the focus to its button
    if (isTyping) return () => session.focus();
    return undefined;
  }, [isTyping]);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const leave = (event: KeyboardEvent): void => {
      if (!isWayOut(event)) return;
      event.preventDefault();
      event.stopPropagation();
      box.current?.querySelector('button')?.focus();
    };
    // before any display sees it
    addEventListener('keydown', leave, { capture: true });
    return () => removeEventListener('keydown', leave, { capture: true });
  }, []);
  const isOpen = phase.name === 'open';
  const display = screen ?? terminal;
  return (
    <div class="tools" ref={box} role="toolbar" aria-label={`Tools; ${WAY_OUT} leads here from the console`}>
      {isOpen && screen && <ScreenTools screen={screen} session={session} />}
      {isOpen && terminal && <TerminalTools terminal={terminal} />}
      {isOpen && display && !place.viewOnly && screen?.viewOnly !== true && <button onClick={() => setTyping(true)}>{screen ? 'Type text …' : 'Paste …'}</button>}
      <FullScreenButton session={session} />
      {isTyping && isOpen && display && <TypeDialog session={session} display={display} close={() => setTyping(false)} />}
    </div>
  );
}
