import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LoginRequest, SessionInfo } from '../../gateways/web/messages.js';
import { RequestError, post, wordsOf } from '../io/http.js';
import { store } from '../store.js';
import { Icon } from './icons.js';

function explain(error: unknown): string {
  if (!(error instanceof RequestError)) return wordsOf(error);
  if (error.status === 401) return 'The name or the password is wrong, or you may not log in from here.';
  if (error.status === 429) return 'Too many tries. Wait a little, then try again.';
  return error.message;
}

export function Login({ problem = '' }: { readonly problem?: string }): JSX.Element {
  const [wrong, setWrong] = useState(problem);
  const [isBusy, setBusy] = useState(false);
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  useEffect(() => name.current?.focus(), []);
  const enter = async (event: Event): Promise<void> => {
    event.preventDefault();
    const body: LoginRequest = { account: name.current!.value, password: password.current!.value };
    setBusy(true);
    try {
      store.enter(await post<SessionInfo>('session', body));
    } catch (error) {
      setWrong(explain(error));
      setBusy(false);
      password.current!.value = '';
      password.current!.focus();
    }
  };
  return (
    <main class="login">
      <form onSubmit={(event) => void enter(event)}>
        <h1><Icon of="mark" size={22} /> argo</h1>
        <label>Account<input ref={name} name="username" autocomplete="username" autocapitalize="none" spellcheck={false} required /></label>
        <label>Password<input ref={password} type="password" name="password" autocomplete="current-password" required /></label>
        <p class="wrong" role="alert">{wrong}</p>
        <button class="primary" disabled={isBusy}>{isBusy ? 'Logging in …' : 'Log in'}</button>
      </form>
    </main>
  );
}
