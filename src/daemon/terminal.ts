import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { passwordFault } from '../auth/passwords.js';

/** The terminal shows what is asked, not what is typed. */
function silenced(): { output: Writable; silence: () => void } {
  let silent = false;
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (!silent) process.stderr.write(chunk);
      done();
    },
  });
  return { output, silence: () => { silent = true; } };
}

async function ask(question: string): Promise<string> {
  const { output, silence } = silenced();
  const terminal = createInterface({ input: process.stdin, output, terminal: true });
  const cancelled = new Promise<never>((_, reject) => {
    // by Ctrl-C or Ctrl-D
    terminal.once('close', () => reject(new Error('cancelled')));
  });
  try {
    const answer = terminal.question(question);
    silence();
    return await Promise.race([answer, cancelled]);
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}

/**
 * A new password: asked twice on a terminal without showing it, else the first line of standard
 * input. Never from the command line, where every user of the machine could read it.
 * @throws Error where the two differ or it cannot be used
 */
export async function readNewPassword(): Promise<string> {
  const password = process.stdin.isTTY ? await ask('Password: ') : (await text(process.stdin)).split(/\r?\n/)[0] ?? '';
  const fault = passwordFault(password);
  if (fault) throw new Error(fault);
  if (process.stdin.isTTY && await ask('Again: ') !== password) throw new Error('the two passwords differ');
  return password;
}
