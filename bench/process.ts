import { type ChildProcess, execFileSync, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** How long a server may take until it answers, in ms; far above what any of them needs. */
const START_DEADLINE = 30_000;
/** How long a server may take to end after SIGTERM before it is killed, in ms. */
const END_DEADLINE = 10_000;

const running = new Set<ChildProcess>();
const folders: string[] = [];

/** A scratch folder that is removed when the bench ends. */
export function scratchFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `argo-bench-${name}-`));
  folders.push(folder);
  return folder;
}

/** Kills what still runs and removes the scratch folders. Safe to call at any time, also twice. */
export function cleanUp(): void {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Starts a process that {@link cleanUp} will end. */
export function start(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options });
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

/** Ends a process and waits until it has ended. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), END_DEADLINE);
  await ended;
  clearTimeout(killer);
}

/** Sends one request on a connection of its own and returns the reply, up to the line that ends it. */
export function ask(port: number, request: string, ends: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').setNoDelay(true).setTimeout(START_DEADLINE);
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (!ends.test(text)) return;
      socket.destroy();
      resolve(text);
    });
    socket.on('timeout', () => socket.destroy(new Error(`no reply to ${request.split(' ')[0]}`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed without a full reply: ${JSON.stringify(text.slice(0, 80))}`)));
  });
}

/**
 * Waits until a server that has just been started answers a request.
 * @returns the reply
 */
export async function answered(child: ChildProcess, port: number, request: string, ends: RegExp): Promise<string> {
  const deadline = Date.now() + START_DEADLINE;
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => { complaint = (complaint + chunk.toString()).slice(-2000); });
  for (;;) {
    try {
      return await ask(port, request, ends);
    } catch (error) {
      if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended: ${complaint}`, { cause: error });
      if (Date.now() > deadline) throw new Error(`${child.spawnfile} does not answer: ${complaint}`, { cause: error });
      await pause(1);
    }
  }
}

/** The process id of a child that is running. */
export function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error(`${child.spawnfile} did not start`);
  return child.pid;
}

const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU that a process has used so far in all its threads, in µs. From proc_pid_stat(5), fields 14 and 15. */
export function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 1e6 / TICKS;
}

/** Resident memory of a process, in MB of 10^6 bytes. From proc_pid_status(5), VmRSS. */
export function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024 / 1e6;
}
