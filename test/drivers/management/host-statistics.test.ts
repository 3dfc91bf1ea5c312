import { readFileSync } from 'node:fs';
import t from 'tap';
import type { CommandResult } from '../../../src/protocols/ssh/command.js';
import type { HostCommands } from '../../../src/drivers/management/host-commands.js';
import { parseReport } from '../../../src/drivers/management/host-report.js';
import { HostStatistics } from '../../../src/drivers/management/host-statistics.js';
import { localCommands } from '../../../src/drivers/management/local-commands.js';
import { HOST_FIGURES, type HostFigures } from '../../../src/drivers/management/statistics.js';
import { outcome, soon } from '../driving.js';

/** Figures of a host, of which all get the same sample. */

const call = { signal: soon(), task: 'x', progress: () => undefined };

interface Moment {
  readonly uptime: number;
  readonly cpu: string;
  readonly rx: number;
}

const counters = ({ uptime, cpu, rx }: Moment): string => `${uptime.toFixed(2)} 100.00
cpu  ${cpu}
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
  eth0: ${rx} 9 0 0 0 0 0 0 ${rx * 2} 9 0 0 0 0 0 0
`;

/** A host that stands still but for its counters, and counts how often it was asked. */
class Host implements Pick<HostCommands, 'run'> {
  asked: string[] = [];
  moments: Moment[] = [];
  #parts: Record<string, string> = {
    route: 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\n',
    ips: '2: eth0    inet6 2001:db8::5/64 scope global\n2: eth0    inet 192.168.1.41/24 brd 192.168.1.255 scope global eth0\n',
    speeds: '/sys/class/net/eth0/speed:1000\n/sys/class/net/wlan0/speed:-1\n',
    processor: 'processor\t: 0\nmodel name\t: AMD Something\ncpu MHz\t\t: 2799.998\ncache size\t: 512 KB\n',
    memory: 'MemTotal:        1000 kB\nMemFree:          100 kB\nMemAvailable:     600 kB\n',
    df: 'Filesystem     1024-blocks  Used Available Capacity Mounted on\n/dev/sda1             1000   400       550      43% /\n/dev/sdb 1               10     0        10       0% /my disk\n',
    kernel: '6.1.0-13-amd64\n',
    release: 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    swap: 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda2                               partition\t2000\t\t50\t\t-2\n/my\\040swap file 1 1 -3\n',
  };

  without(...names: string[]): this {
    for (const name of names) delete this.#parts[name];
    return this;
  }

  run(words: readonly string[]): Promise<CommandResult> {
    const script = words.at(-1)!;
    this.asked.push(script);
    const section = (name: string, text: string): string => `argo-section ${name}\n${text}`;
    const before = script.includes('argo-section before') ? section('before', counters(this.moments.shift()!)) : '';
    const parts = Object.entries(this.#parts).map(([name, text]) => section(name, text)).join('');
    return Promise.resolve({ code: 0, signal: undefined, stdout: `motd\n${before}${parts}${section('now', counters(this.moments.shift()!))}`, stderr: '', truncated: false });
  }
}

/** 50 of 300 ticks, in per cent. */
const WAITED = (50 / 300) * 100;

await t.test('all figures of one host', async (t) => {
  const host = new Host();
  host.moments = [{ uptime: 50, cpu: '100 0 100 700 100 0 0 0 0 0', rx: 1000 }, { uptime: 52, cpu: '150 0 150 850 150 0 0 0 0 0', rx: 5000 }];
  const figures = await new HostStatistics(host).host({ figures: HOST_FIGURES }, call);
  const kib = (size: bigint): bigint => size * 1024n;
  t.same(figures, {
    cpu: { percent: 100 - 50 - WAITED, model: 'AMD Something', mhz: 2799.998, cache: '512 KB' },
    memory: { total: kib(1000n), used: kib(400n) },
    df: [
      { mount: '/', device: '/dev/sda1', total: kib(1000n), used: kib(400n), free: kib(550n) },
      { mount: '/my disk', device: '/dev/sdb 1', total: kib(10n), used: 0n, free: kib(10n) },
    ],
    uptime: 52,
    kernel: '6.1.0-13-amd64',
    release: 'Debian GNU/Linux 12 (bookworm)',
    network: { interface: 'eth0', address: '192.168.1.41' },
    bandwidth: { received: 2000, sent: 4000, maximum: 125_000_000 },
    swap: [{ path: '/dev/sda2', total: kib(2000n), used: kib(50n) }, { path: '/my swap', total: kib(1n), used: kib(1n) }],
    iowait: WAITED,
  } satisfies HostFigures);
  t.equal(host.asked.length, 1, 'by one command');
});

await t.test('those who ask at a time, or soon after, get one sample', async (t) => {
  const host = new Host();
  host.moments = Array.from({ length: 2 }, () => ({ uptime: 50, cpu: '1 0 1 1 1 0 0 0', rx: 0 }));
  const statistics = new HostStatistics(host);
  const answers = await Promise.all(Array.from({ length: 50 }, () => statistics.host({ figures: ['memory'] }, call)));
  answers.push(await statistics.host({ figures: ['kernel', 'uptime'] }, call));
  t.equal(host.asked.length, 1);
  t.notMatch(host.asked[0], /sleep/, 'nobody asked for a rate');
  t.same(answers[0], { memory: { total: 1_024_000n, used: 409_600n } }, 'what was asked for, and nothing else');
  t.same(answers.at(-1), { kernel: '6.1.0-13-amd64', release: 'Debian GNU/Linux 12 (bookworm)', uptime: 50 });
});

await t.test('rates since the sample before', async (t) => {
  const host = new Host();
  const at = (uptime: number, rx: number): Moment => ({ uptime, cpu: `${uptime} 0 0 ${uptime} 0 0 0 0`, rx });
  host.moments = [at(50, 0), at(60, 100)];
  let now = 0;
  t.intercept(performance, 'now', { value: () => now });
  const statistics = new HostStatistics(host);
  await statistics.host({ figures: ['memory'] }, call);
  now = 10_000;
  t.match(await statistics.host({ figures: ['bandwidth', 'cpu'] }, call), { bandwidth: { received: 10, sent: 20 }, cpu: { percent: 50 } });
  t.notMatch(host.asked.join(), /sleep/, 'nobody waited');
  host.moments = [at(3, 7), at(5, 9), at(6, 10)];
  now = 20_000;
  t.match(await statistics.host({ figures: ['bandwidth'] }, call), { bandwidth: { received: 1 } }, 'one that was started anew is read twice');
  host.moments = [at(1000, 9), at(1001, 19)];
  now = 200_000;
  t.match(await statistics.host({ figures: ['bandwidth'] }, call), { bandwidth: { received: 10 } }, 'what is long ago says nothing of now');
  t.match(host.asked.at(-1), /sleep/);
});

await t.test('what a host does not tell is left out', async (t) => {
  const host = new Host().without('route', 'ips', 'speeds', 'memory', 'df', 'release', 'swap', 'processor');
  host.moments = [{ uptime: 50, cpu: '', rx: 0 }, { uptime: 51, cpu: '', rx: 0 }];
  t.same(await new HostStatistics(host).host({ figures: HOST_FIGURES }, call), { uptime: 51, kernel: '6.1.0-13-amd64' });
  const other: Pick<HostCommands, 'run'> = { run: () => Promise.resolve({ code: 0, signal: undefined, stdout: 'argo-section now\nwhat?\n', stderr: '', truncated: false }) };
  t.match(await outcome(new HostStatistics(other).host({ figures: ['cpu'] }, call)), { phrase: 'NOT SUPPORTED' });
  t.throws(() => parseReport(''), { message: /^NOT SUPPORTED: / });
});

await t.test('this host', async (t) => {
  const figures = await new HostStatistics(localCommands).host({ figures: HOST_FIGURES }, call);
  const read = (path: string): string => readFileSync(path, 'utf8');
  t.equal(figures.memory?.total, BigInt(/^MemTotal: +(\d+)/m.exec(read('/proc/meminfo'))![1]!) * 1024n);
  t.equal(figures.kernel, read('/proc/sys/kernel/osrelease').trim());
  t.ok(Math.abs(figures.uptime! - Number(read('/proc/uptime').split(' ')[0])) < 60);
  t.ok(figures.cpu!.percent >= 0 && figures.cpu!.percent <= 100 && figures.iowait! >= 0);
  const { stdout } = await localCommands.run(['df', '-Pk', '/'], { signal: soon(), effect: 'reads' });
  const [device, total] = stdout.trim().split('\n').at(-1)!.split(/ +/);
  t.match(figures.df!.find(({ mount }) => mount === '/'), { device, total: BigInt(total!) * 1024n });
  t.equal(figures.swap?.length, read('/proc/swaps').trim().split('\n').length - 1);
});
