import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { which } from '../../support/peers.js';
import { listens } from '../../support/ports.js';
import { until } from '../../support/until.js';
import { Confined, lowPort } from './confined.js';

/** Programs that a test with this needs. */
export const AGENT_PROGRAMS = ['zabbix_agentd', 'zabbix_get'];
const START_TIMEOUT_MS = 60_000;

/** Debian's zabbix-agent, on 127.0.0.1. */
export class Agent {
  readonly port: number;
  readonly #folder: string;
  readonly #program: Confined;

  private constructor(port: number, folder: string, program: Confined) {
    this.port = port;
    this.#folder = folder;
    this.#program = program;
  }

  /** @param parameters lines of its configuration @param env what its commands see beside PATH */
  static async start(parameters: string, env: Readonly<Record<string, string>> = {}): Promise<Agent> {
    const folder = mkdtempSync(join(tmpdir(), 'argo-zabbix-agent-'));
    const port = await lowPort();
    const configuration = join(folder, 'agentd.conf');
    // as root, who alone may be able to enter the folder of the project
    writeFileSync(configuration, `LogType=console\nPidFile=${join(folder, 'agentd.pid')}\nServer=127.0.0.1\nListenIP=127.0.0.1\nListenPort=${port}\nAllowRoot=1\n${parameters}`);
    const agent = new Agent(port, folder, new Confined(which('zabbix_agentd')!, ['--foreground', '--config', configuration], { user: 'root', log: join(folder, 'agentd.log'), env }));
    await until(() => {
      if (agent.#program.ended) throw new Error(`zabbix_agentd ended: ${agent.#program.output}`);
      return listens(port);
    }, START_TIMEOUT_MS, 'zabbix_agentd').catch(async (error: unknown) => {
      await agent.stop();
      throw error;
    });
    return agent;
  }

  async stop(): Promise<void> {
    await this.#program.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
