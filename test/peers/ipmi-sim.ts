import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../support/programs.js';
import { until } from '../support/until.js';

/** Programs that a test with this needs. */
export const IPMI_PROGRAMS = ['ipmi_sim', 'ipmitool'];

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 30_000;

/** The user who may switch, and one who may only look. */
export const OPERATOR = { user: 'argo', password: 'Op-Secret-1' };
export const LOOKER = { user: 'looker', password: 'look-secret' };

/**
 * What the simulator runs for each command of the chassis: `get power`, `set power 0|1`, `set reset 1`,
 * `set shutdown 1`. Orders are noted; the file `slow` holds seconds by which the answer to one is late.
 */
const CONTROL = `#!/bin/sh
cd "\${0%/*}" || exit 1
verb=$2; shift 2
if [ "$verb" = get ]; then
  for name; do echo "$name:$(cat power)"; done
  exit
fi
while [ $# -gt 1 ]; do
  echo "$1 $2" >> orders
  [ "$1" = power ] && echo "$2" > power
  shift 2
done
[ -s slow ] && sleep "$(cat slow)"
exit 0
`;

/** OpenIPMI's simulator of a management board, with one machine of which it holds the power switch. */
export class IpmiSim {
  readonly host = HOST;
  readonly #folder = mkdtempSync(join(tmpdir(), 'argo-ipmi-'));
  #child: ChildProcess | undefined;

  readonly port: number;

  constructor(port: number) {
    this.port = port;
  }

  static async start({ isOn = false } = {}): Promise<IpmiSim> {
    const sim = new IpmiSim(await freeUdpPort());
    sim.setPower(isOn);
    sim.#write();
    await sim.#run();
    return sim;
  }

  /** Every order that reached it, as the simulator passes it on: `power 1`, `reset 1`. */
  get orders(): readonly string[] {
    return readFileSync(join(this.#folder, 'orders'), 'utf8').split('\n').filter((line) => line !== '');
  }

  get isOn(): boolean {
    return readFileSync(join(this.#folder, 'power'), 'utf8').trim() === '1';
  }

  /** What the machine does by itself. */
  setPower(isOn: boolean): void {
    writeFileSync(join(this.#folder, 'power'), isOn ? '1' : '0');
  }

  /** Lets the answers to orders be late, which are carried out at once. */
  answersLateBy(seconds: number): void {
    writeFileSync(join(this.#folder, 'slow'), seconds === 0 ? '' : String(seconds));
  }

  /** Lets it hang, or go on. */
  hang(hangs: boolean): void {
    this.#child?.kill(hangs ? 'SIGSTOP' : 'SIGCONT');
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #write(): void {
    const folder = this.#folder;
    mkdirSync(join(folder, 'state'));
    for (const name of ['orders', 'slow']) appendFileSync(join(folder, name), '');
    writeFileSync(join(folder, 'control'), CONTROL, { mode: 0o755 });
    const auths = ['callback', 'user', 'operator', 'admin'].map((level) => `    allowed_auths_${level} none md2 md5 straight`);
    writeFileSync(join(folder, 'lan.conf'), [
      'name "argo"', 'set_working_mc 0x20', '  startlan 1', `    addr ${HOST} ${this.port}`, '    priv_limit admin', ...auths,
      '    guid a123456789abcdefa123456789abcdef', '  endlan', `  chassis_control "${folder}/control 0x20"`,
      `  user 2 true "${OPERATOR.user}" "${OPERATOR.password}" operator 10 none md2 md5 straight`,
      `  user 3 true "${LOOKER.user}" "${LOOKER.password}" user 10 none md2 md5 straight`, '',
    ].join('\n'));
    writeFileSync(join(folder, 'commands'), ['mc_setbmc 0x20', 'mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02', 'mc_enable 0x20', ''].join('\n'));
  }

  async #run(): Promise<void> {
    const file = (name: string): string => join(this.#folder, name);
    this.#child = spawn('ipmi_sim', ['-n', '-c', file('lan.conf'), '-f', file('commands'), '-s', file('state')], { stdio: 'ignore' });
    await until(() => this.#answers(), START_TIMEOUT_MS, 'ipmi_sim to answer');
  }

  /** By a tool of others. */
  async #answers(): Promise<boolean> {
    const { user, password } = OPERATOR;
    const args = ['-I', 'lanplus', '-H', HOST, '-p', String(this.port), '-U', user, '-E', '-L', 'OPERATOR', '-C', '3', '-N', '1', '-R', '1', 'chassis', 'power', 'status'];
    return (await runProgram('ipmitool', args, { env: { PATH: process.env.PATH, IPMI_PASSWORD: password } })).code === 0;
  }
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => { socket.bind(0, HOST, resolve); });
  const { port } = socket.address();
  await new Promise<void>((resolve) => { socket.close(() => resolve()); });
  return port;
}
