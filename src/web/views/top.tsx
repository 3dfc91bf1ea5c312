import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { clock } from '../model/words.js';
import { openOf } from '../model/tasks.js';
import { store, useStore } from '../store.js';
import { applyTheme, turnTheme } from '../theme.js';
import { Icon } from './icons.js';

function ThemeButton(): JSX.Element {
  const [theme, setTheme] = useState(applyTheme);
  return <button class="bare icon-only" aria-label={`Colours: ${theme}`} title={`Colours: ${theme}`} onClick={() => setTheme(turnTheme(theme))}><Icon of="theme" /></button>;
}

function Search(): JSX.Element {
  const { place, filter } = useStore();
  const field = useRef<HTMLInputElement>(null);
  const typed = (text: string): void => {
    store.go({ q: text, view: 'machines' });
    store.setCursor(0);
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' && event.key !== 'Enter' && event.key !== 'ArrowDown') return;
    event.preventDefault();
    if (event.key === 'Escape' && place.q !== '') typed('');
    else {
      field.current?.blur();
      document.getElementById('list')?.focus();
    }
  };
  return (
    <div class="search" role="search">
      <Icon of="find" />
      <input
        id="search"
        ref={field}
        value={place.q}
        onInput={(event) => typed(event.currentTarget.value)}
        onKeyDown={key}
        placeholder="Search, or state:on  @web  provider:kvm1"
        aria-label="Search machines"
        aria-describedby="search-problem"
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
      />
      <kbd aria-hidden="true">/</kbd>
      <p id="search-problem" class={filter.problem === undefined ? 'hide' : 'problem'}>{filter.problem}</p>
    </div>
  );
}

/** What is under way, and failures that nobody has read. */
function TrayButton(): JSX.Element | null {
  const { known, unread, isTrayOpen } = useStore();
  const running = [...known?.tasks.values() ?? []].filter(({ ended }) => ended === null);
  if (running.length === 0 && unread.length === 0 && !isTrayOpen) return null;
  const left = running.reduce((sum, task) => sum + openOf(task).left, 0);
  const failed = unread.reduce((sum, task) => sum + openOf(task).failed, 0);
  const toggle = (): void => {
    store.isTrayOpen = !store.isTrayOpen;
    store.tell();
  };
  return (
    <button class={`tray-button ${failed > 0 ? 'bad' : ''}`} aria-expanded={isTrayOpen} onClick={toggle}>
      {left > 0 && <span class="state stopping"><span class="ring" aria-hidden="true" />{left} under way</span>}
      {failed > 0 && <span class="state crashed"><Icon of="warn" size={14} />{failed} failed</span>}
      {left === 0 && failed === 0 && 'Tasks'}
    </button>
  );
}

function Live(): JSX.Element {
  const { isLost, known } = useStore();
  const word = isLost ? 'lost' : known === undefined ? 'loading' : 'live';
  return <div class={`live ${word}`}><i aria-hidden="true" /><span>{word}</span></div>;
}

function Account(): JSX.Element {
  const { session } = useStore();
  const [isOpen, setOpen] = useState(false);
  const menu = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    const away = (event: Event): void => {
      if (!(event.target instanceof Node) || menu.current?.contains(event.target) !== true) setOpen(false);
    };
    addEventListener('pointerdown', away);
    return () => removeEventListener('pointerdown', away);
  }, [isOpen]);
  const key = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || !isOpen) return;
    event.stopPropagation();
    setOpen(false);
  };
  return (
    <div class="account" ref={menu} onKeyDown={key}>
      <button class="bare" aria-expanded={isOpen} aria-label={`Account ${session?.account}`} onClick={() => setOpen(!isOpen)}><Icon of="person" /><span>{session?.account}</span></button>
      {isOpen && (
        <div class="menu">
          <p>{session?.server.name} <span class="dim">{session?.server.version}</span></p>
          <button class="bare" onClick={() => void store.logout()}>Log out</button>
        </div>
      )}
    </div>
  );
}

export function TopBar(): JSX.Element {
  const help = (): void => {
    store.isHelpOpen = true;
    store.tell();
  };
  return (
    <header class="top">
      <a class="brand" href="#" aria-label="argo: all machines"><Icon of="mark" size={18} /><span>argo</span></a>
      <Search />
      <div class="corner"><TrayButton /><Live /><ThemeButton /><button class="bare icon-only help-button" aria-label="Keys" title="Keys" onClick={help}>?</button><Account /></div>
    </header>
  );
}

/** Nothing that is not live may look as if it were. */
export function LostNote(): JSX.Element | null {
  const { lostSince, againAt } = useStore();
  if (lostSince === undefined) return null;
  const seconds = Math.max(0, Math.ceil((againAt - performance.now()) / 1000));
  return (
    <div class="lost-note" role="alert">
      <Icon of="warn" /><span><b>No connection to the server.</b> All below is as of {clock(lostSince)}.</span>
      <span class="dim" aria-hidden="true">{seconds > 0 ? `next try in ${seconds} s` : 'trying …'}</span>
    </div>
  );
}
