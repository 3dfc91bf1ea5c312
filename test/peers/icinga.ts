import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Programs that a test with this needs. */
export const ICINGA_PROGRAMS = ['icinga2'];
/** What it would have below /var and /run. */
const FOLDERS = ['CacheDir', 'ConfigDir', 'DataDir', 'InitRunDir', 'LogDir', 'SpoolDir'];

/** Debian's Icinga 2, which checks services and writes down what came of it. */
export class Icinga {
  readonly #folder: string;
  readonly #ended: Promise<unknown>;
  readonly #end: () => void;
  #said = '';

  /** @param configuration its objects, beside what makes checks and their results */
  constructor(configuration: string) {
    const folder = this.#folder = mkdtempSync(join(tmpdir(), 'argo-icinga-'));
    const results = (kind: string): string => `${kind}_perfdata_path = "${join(folder, kind)}"\n  ${kind}_temp_path = "${join(folder, `${kind}.tmp`)}"`;
    for (const name of FOLDERS) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'icinga2.conf'), `
const NodeName = "here"
object CheckerComponent "checker" { }
object PerfdataWriter "results" {
  ${results('host')}
  ${results('service')}
  service_format_template = "$host.name$ $service.state$ $service.output$|$service.perfdata$"
  rotation_interval = 1s
}
${configuration}`);
    const settings = ['RunAsUser=root', 'RunAsGroup=root', ...FOLDERS.map((name) => `${name}=${join(folder, name)}`)];
    // in a group of its own: it has several processes, and one that is killed starts another
    const child = spawn('icinga2', ['daemon', ...settings.map((setting) => `-D${setting}`), '-c', join(folder, 'icinga2.conf')], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { this.#said = (this.#said + text).slice(-20_000); });
    this.#ended = once(child, 'close');
    this.#end = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // all of them have ended
      }
    };
    process.once('exit', this.#end);
  }

  /** What it has said, for a test that fails. */
  get output(): string {
    return this.#said;
  }

  /** What came of its checks: `HOST STATE OUTPUT|FIGURES`, in order. */
  results(): string[] {
    return readdirSync(this.#folder).filter((name) => /^service\.\d+$/.test(name)).sort()
      .flatMap((name) => readFileSync(join(this.#folder, name), 'utf8').split('\n').filter(Boolean));
  }

  async stop(): Promise<void> {
    this.#end();
    process.removeListener('exit', this.#end);
    await this.#ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
