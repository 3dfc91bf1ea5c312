import { spawn } from 'node:child_process';

/** For a program that ends by itself; compiling takes some seconds on a busy machine. Milliseconds. */
const TIMEOUT_MS = 120_000;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** what it reads */
  readonly input?: string;
}

/** Runs a program to its end. */
export function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: options.env, timeout: TIMEOUT_MS });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) child[name].setEncoding('utf8').on('data', (text: string) => { output[name] += text; });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...output }));
    // a program that ends without reading leaves a broken pipe, which is no fault of the test
    child.stdin.on('error', () => undefined).end(options.input ?? '');
  });
}

/** Runs a script with this Node to its end. */
export const runNode = (args: readonly string[], options?: RunOptions): Promise<Outcome> =>
  runProgram(process.execPath, args, options);
