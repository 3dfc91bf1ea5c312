import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { which } from '../support/peers.js';
import { Terminal } from '../support/terminal.js';
import { Enclosure, must, run, type Outcome } from './enclosure.js';

/** Programs that a test with this needs. */
export const PODMAN_PROGRAMS = ['podman', 'crun', 'conmon', 'catatonit', 'script'];
/** For a step, on a busy machine, ms: an image is a copy of all that is in it. */
const WITHIN_MS = 160_000;
/** As Debian's and others' images have their folders. */
const MERGED = ['bin', 'sbin', 'lib', 'lib64'];
/** What there is of the machine that podman would write to, whatever it is told. */
const OWN = ['/dev/shm', '/run'];
/** What a process in a container may have: by itself it asks for more than root may give away in a container. */
const LIMITS = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];

/**
 * Debian's podman, in an enclosure, with images and containers of its own, which are gone with the test. It is a command
 * there, as for a person, with these differences: images are built without a network, and what runs has that of the
 * enclosure, since that needs neither bridges nor rights beyond the enclosure's.
 */
export class Podman {
  readonly #enclosure: Enclosure;
  readonly #bin: string;

  private constructor(enclosure: Enclosure, buildOptions: readonly string[]) {
    this.#enclosure = enclosure;
    this.#bin = join(enclosure.scratch, 'bin');
    const store = (name: string): string => join(enclosure.scratch, 'store', name);
    const all = ['--root', store('storage'), '--runroot', store('run'), '--tmpdir', store('tmp'), '--cgroup-manager', 'cgroupfs', '--events-backend', 'none'];
    mkdirSync(this.#bin);
    writeFileSync(join(this.#bin, 'podman'), `#!/bin/sh
command=$1
shift
case "$command" in
  build) set -- --network none ${[...LIMITS, ...buildOptions].join(' ')} "$@" ;;
  run) set -- --network host --cgroups disabled ${LIMITS.join(' ')} "$@" ;;
esac
exec ${which('podman')} ${all.join(' ')} "$command" "$@"
`);
    chmodSync(join(this.#bin, 'podman'), 0o755);
  }

  /** @param buildOptions further options of each build @throws Error where there can be no enclosure */
  static async start(buildOptions: readonly string[]): Promise<Podman> {
    const enclosure = await Enclosure.start((scratch) => Object.fromEntries(OWN.map((path) => {
      const own = join(scratch, 'own', path);
      mkdirSync(own, { recursive: true });
      return [own, path];
    })));
    return new Podman(enclosure, buildOptions);
  }

  #command(line: string): [program: string, ...args: string[]] {
    const [program = '', ...args] = this.#enclosure.command('sh', '-c', `PATH=${this.#bin}:$PATH; ${line}`);
    return [program, ...args];
  }

  /** Runs a line of a shell, in which podman is a command, to its end. */
  run(line: string): Promise<Outcome> {
    const [program, ...args] = this.#command(line);
    return run(program, args, WITHIN_MS);
  }

  /** As {@link run}: what is printed. @throws Error where it fails */
  must(line: string): Promise<string> {
    const [program, ...args] = this.#command(line);
    return must(program, args, WITHIN_MS);
  }

  /** The same, on a terminal. */
  terminal(t: Test, line: string): Terminal {
    return new Terminal(t, this.#command(line), WITHIN_MS);
  }

  /** An image of this machine's programs and what these need, which runs node as a registry's does: none has to be reached. */
  async base(name: string, programs: readonly string[]): Promise<void> {
    const root = join(this.#enclosure.scratch, 'base');
    for (const folder of MERGED) {
      mkdirSync(join(root, 'usr', folder), { recursive: true });
      symlinkSync(join('usr', folder), join(root, folder));
    }
    mkdirSync(join(root, 'etc'));
    mkdirSync(join(root, 'tmp'));
    chmodSync(join(root, 'tmp'), 0o1777);
    for (const program of programs) {
      const path = which(program)!;
      const needed = [...(await must('ldd', [path])).matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library!);
      await must('cp', ['--dereference', '--parents', path, ...needed, root]);
    }
    await this.must(`tar -C '${root}' -cf - . | podman import --change 'CMD ["node"]' - ${name}`);
    rmSync(root, { recursive: true });
  }

  async stop(): Promise<void> {
    await this.run('podman rm --all --force --time 0; podman umount --all');
    await this.#enclosure.stop();
  }
}
