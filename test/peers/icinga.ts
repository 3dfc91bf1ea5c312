import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProcessGroup } from './process-group.js';

/** Programs that a test with this needs. */
export const ICINGA_PROGRAMS = ['icinga2'];
/** What it would have below /var and /run. */
const FOLDERS = ['CacheDir', 'ConfigDir', 'DataDir', 'InitRunDir', 'LogDir', 'SpoolDir'];

/** Debian's Icinga 2, which checks services and writes down what came of it. */
export class Icinga {
  readonly #folder: string;
  readonly #program: ProcessGroup;

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
    this.#program = new ProcessGroup('icinga2', ['daemon', ...settings.map((setting) => `-D${setting}`), '-c', join(folder, 'icinga2.conf')]);
  }

  /** What it has said, for a test that fails. */
  get output(): string {
    return this.#program.output;
  }

  get ended(): boolean {
    return this.#program.ended;
  }

  /** What came of its checks: `HOST STATE OUTPUT|FIGURES`, in order. */
  results(): string[] {
    return readdirSync(this.#folder).filter((name) => /^service\.\d+$/.test(name)).sort()
      .flatMap((name) => readFileSync(join(this.#folder, name), 'utf8').split('\n').filter(Boolean));
  }

  async stop(): Promise<void> {
    await this.#program.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
