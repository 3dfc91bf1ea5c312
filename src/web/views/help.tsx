import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { areKeysOn, setKeysOn } from '../keys.js';
import { Dialog } from './dialog.js';

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['/', 'search'], ['j k', 'down, up; arrows do as well'], ['x', 'select; with Shift, all up to here'], ['a', 'select all that are shown, or none'],
  ['s', 'start'], ['p', 'stop'], ['r', 'reboot'], ['c', 'console'], ['Enter', 'details'], ['Esc', 'back'],
  ['g m', 'machines'], ['g a', 'activity'], ['g p', 'plans'], ['g t', 'trouble'], ['g o', 'orders under way'], ['?', 'this help'],
];

const WORDS: readonly (readonly [word: string, what: string])[] = [
  ['web', 'in the name, the provider or the type'], ['web[01-20]', 'a range of numbers'], ['kvm1/*', 'all of a provider'], ['state:on,off', 'one of these states'],
  ['type:vm', 'vm, container or host'], ['provider:kvm*', 'a provider'], ['@web', 'a group'], ['-test', 'not that'], ['sort:-since', 'name, state, since, provider, type'],
];

export function Help({ close }: { readonly close: () => void }): JSX.Element {
  const [isOn, setOn] = useState(areKeysOn());
  const toggle = (): void => {
    setKeysOn(!isOn);
    setOn(!isOn);
  };
  return (
    <Dialog title="Keys and search" close={close} css="wide">
      <div class="body help" tabIndex={0} role="group" aria-label="Keys and search">
        <div><h3>Keys</h3><dl>{KEYS.map(([keys, what]) => <><dt key={keys}>{keys.split(' ').map((one) => <kbd key={one}>{one}</kbd>)}</dt><dd>{what}</dd></>)}</dl></div>
        <div><h3>Search: all words must hold</h3><dl>{WORDS.map(([word, what]) => <><dt key={word}><code>{word}</code></dt><dd>{what}</dd></>)}</dl></div>
      </div>
      <footer><label class="switch"><input type="checkbox" class="check" checked={isOn} onChange={toggle} /> Single keys are on</label><span class="grow" /><button autofocus class="primary" onClick={close}>Close</button></footer>
    </Dialog>
  );
}
