import type { JSX } from 'preact';
import { store, useStore } from '../store.js';
import { Activity } from './activity.js';
import { Audit } from './audit.js';
import { Drawer } from './drawer.js';
import { Help } from './help.js';
import { Login } from './login.js';
import { Machines } from './machines.js';
import { OrderDialog } from './order.js';
import { Plans } from './plans.js';
import { ProgressDialog, Tray } from './progress.js';
import { Rail } from './rail.js';
import { LostNote, TopBar } from './top.js';

function View(): JSX.Element {
  switch (useStore().place.view) {
    case 'plans': return <Plans />;
    case 'activity': return <Activity />;
    case 'audit': return <Audit />;
    default: return <Machines />;
  }
}

function Dialogs(): JSX.Element | null {
  const { draft, openTask, known, isHelpOpen } = useStore();
  const task = openTask === undefined ? undefined : known?.tasks.get(openTask);
  if (draft !== undefined) return <OrderDialog draft={draft} />;
  if (task !== undefined) return <ProgressDialog key={task.id} task={task} />;
  return isHelpOpen ? <Help close={() => { store.isHelpOpen = false; store.tell(); }} /> : null;
}

export function App({ problem }: { readonly problem: string }): JSX.Element {
  const { isLoggedIn, isLost, said, place } = useStore();
  if (isLoggedIn === undefined) return <main class="login"><p class="dim">Loading …</p></main>;
  if (!isLoggedIn) return <Login problem={problem} />;
  return (
    <div class={`app ${isLost ? 'is-lost' : ''} ${place.machine === '' ? '' : 'has-drawer'}`}>
      <TopBar />
      <LostNote />
      <Rail />
      <main class="main"><View /></main>
      <Drawer /><Tray /><Dialogs />
      <p class="hide" role="status" aria-live="polite">{said}</p>
    </div>
  );
}
