import { render } from 'preact';
import type { SessionInfo } from '../gateways/web/messages.js';
import { RequestError, get, post, wordsOf } from './io/http.js';
import { listenForKeys } from './keys.js';
import { loginCode } from './model/place.js';
import { store } from './store.js';
import { applyTheme } from './theme.js';
import { App } from './views/app.js';

/** Where the page begins: who is logged in decides what is drawn. */

const root = document.getElementById('app')!;
let problem = '';

async function begin(): Promise<void> {
  const code = loginCode(location.hash);
  // a code that was used, or that fails, must not stay in the address
  if (code !== undefined) history.replaceState(null, '', '#');
  try {
    store.enter(code === undefined ? await get<SessionInfo>('session') : await post<SessionInfo>('session', { code }));
  } catch (error) {
    const status = error instanceof RequestError ? error.status : undefined;
    if (code !== undefined) problem = 'That link was used already, or is too old. Log in, or take a new one from the server’s terminal.';
    else if (status !== 401) problem = wordsOf(error);
    store.isLoggedIn = false;
    store.tell();
  }
  render(<App problem={problem} />, root);
}

applyTheme();
listenForKeys();
render(<App problem="" />, root);
void begin();
