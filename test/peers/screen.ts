import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { ConsolePipe } from '../../src/instances/console-pipe.js';
import { RfbViewer } from '../../src/instances/rfb-viewer.js';
import { freePort, listens } from '../support/ports.js';
import { runProgram } from '../support/programs.js';
import { until } from '../support/until.js';

/** Both ends of a screen: QEMU's VNC server, and a viewer that others wrote. */

export const SCREEN_PROGRAMS = ['qemu-system-x86_64', 'vncsnapshot'];

const WAIT_MS = 60_000;
/** What a viewer adds to the number of a display. */
const FIRST_PORT = 5900;

/** A VNC server with no machine behind it, on a port of 127.0.0.1. */
export async function startScreen(password?: string): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const port = await freePort();
  const secret = password === undefined ? [] : ['-object', `secret,id=pw,data=${password}`];
  const vnc = `127.0.0.1:${port - FIRST_PORT}${password === undefined ? '' : ',password-secret=pw'}`;
  const qemu = spawn('qemu-system-x86_64', ['-nodefaults', '-machine', 'none', '-display', 'none', ...secret, '-vnc', vnc], { stdio: 'ignore' });
  await until(() => listens(port), WAIT_MS, 'QEMU to show its screen');
  return {
    port,
    stop: async () => {
      if (qemu.exitCode !== null || qemu.signalCode !== null) return;
      qemu.kill('SIGKILL');
      await once(qemu, 'exit');
    },
  };
}

/** Has a viewer take a picture of a screen as a driver has opened it, through the gate's end of it. @returns the picture, a JPEG */
export async function takePicture(stream: Duplex): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'argo-screen-'));
  const server = createServer((viewer) => {
    const pipe = new ConsolePipe(stream, new RfbViewer(false), () => undefined);
    pipe.on('error', () => undefined);
    viewer.on('error', () => undefined);
    viewer.pipe(pipe).pipe(viewer);
  });
  server.maxConnections = 1;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const file = join(folder, 'picture.jpg');
    const { code, stderr } = await runProgram('vncsnapshot', ['-quiet', `127.0.0.1:${(server.address() as AddressInfo).port - FIRST_PORT}`, file]);
    if (code !== 0) throw new Error(`vncsnapshot: ${stderr}`);
    return readFileSync(file);
  } finally {
    server.close();
    stream.destroy();
    rmSync(folder, { recursive: true });
  }
}
