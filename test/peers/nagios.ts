import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { which } from '../support/peers.js';
import { ProcessGroup } from './process-group.js';

/** Programs that a test with this needs. */
export const NAGIOS_PROGRAMS = ['nagios4'];
const ETC = '/etc/nagios4';
/** Debian's own objects, whose templates examples use: services, hosts, contacts, times, and commands of the plugins. */
const OBJECTS = ['commands', 'contacts', 'timeperiods', 'templates'].map((name) => join(ETC, 'objects', `${name}.cfg`));
const PLUGINS = '/etc/nagios-plugins/config';
/** What it writes or keeps, by the name of its setting. */
const FILES = ['log_file', 'object_cache_file', 'precached_object_file', 'status_file', 'lock_file', 'temp_file', 'state_retention_file', 'query_socket'];
const FOLDERS = ['temp_path', 'log_archive_path', 'check_result_path'];
const SETTINGS = {
  nagios_user: 'root', nagios_group: 'root', resource_file: join(ETC, 'resource.cfg'), use_syslog: 0, enable_notifications: 0, retain_state_information: 0,
  check_external_commands: 0, status_update_interval: 1,
  // intervals are seconds, and all checks begin at once
  interval_length: 1, service_inter_check_delay_method: 'n', host_inter_check_delay_method: 'n',
};
/** The words of its numbers. */
const STATES = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'];

/** Debian's Nagios 4, which checks services and writes down what came of it. */
export class Nagios {
  readonly #folder = mkdtempSync(join(tmpdir(), 'argo-nagios-'));
  readonly #program: ProcessGroup;

  /** @param objects hosts, services and commands, beside what Debian has */
  constructor(objects: string) {
    for (const name of FOLDERS) mkdirSync(this.#at(name));
    writeFileSync(this.#at('objects.cfg'), objects);
    const settings: (readonly [string, string | number])[] = [
      ...Object.entries(SETTINGS), ...[...FILES, ...FOLDERS].map((name) => [name, this.#at(name)] as const),
      ['cfg_dir', PLUGINS], ...[...OBJECTS, this.#at('objects.cfg')].map((path) => ['cfg_file', path] as const),
    ];
    writeFileSync(this.#at('nagios.cfg'), settings.map(([name, value]) => `${name}=${value}\n`).join(''));
    this.#program = new ProcessGroup(which('nagios4') ?? 'nagios4', [this.#at('nagios.cfg')]);
  }

  #at(name: string): string {
    return join(this.#folder, name);
  }

  /** What it has said, for a test that fails. */
  get output(): string {
    return this.#program.output;
  }

  get ended(): boolean {
    return this.#program.ended;
  }

  /** What came of the last check of each service that was checked: `SERVICE STATE OUTPUT|FIGURES`, by their names. */
  results(): string[] {
    const path = this.#at('status_file');
    const services = existsSync(path) ? readFileSync(path, 'utf8').match(/^servicestatus \{\n[^}]*/gm) ?? [] : [];
    return services.flatMap((text) => {
      const value = (name: string): string => new RegExp(`^\\t${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
      return value('has_been_checked') === '1' ? [`${value('service_description')} ${STATES[Number(value('current_state'))]} ${value('plugin_output')}|${value('performance_data')}`] : [];
    }).sort();
  }

  async stop(): Promise<void> {
    await this.#program.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
