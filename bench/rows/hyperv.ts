import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import * as v from 'valibot';
import hyperv from '../../src/drivers/hyperv/index.js';
import type { WmiPath } from '../../src/protocols/wmi/connection.js';
import { writeGet } from '../../src/protocols/wsman/soap.js';
import { WsmanSession } from '../../src/protocols/wsman/session.js';
import { FRONT_USER, lacksFront } from '../../test/peers/wmi-front.js';
import { get, PyWinrm } from '../../test/peers/wmi/pywinrm.js';
import { lacks } from '../../test/support/peers.js';
import { startOurs } from '../ours.js';
import { scratchFolder, start, stop } from '../process.js';
import { probe, waitRow } from '../probe.js';
import { atLeast, below, type Row } from '../report.js';
import { fromRoot } from '../root.js';
import type { Scenario, Settings } from '../scenario.js';
import { interleave, pairedRatio, summarise } from '../stats.js';

const VMS = 500;
/** Requests of one run; a process is so slow that one tells enough. */
const REQUESTS = 50;
/** Targets: times a plain request, times a process, ms. */
const SEALED_LIMIT = 2;
const PROCESS_LEAST = 20;
const REFRESH_LIMIT = 500;
const NOP_LIMIT = 5;
const DEADLINE_MS = 60_000;
/** Refreshes follow one another closely while `nop` is asked so often a second. */
const POLL = '200ms';
const PROBE_RATE = 1000;
/** OpenSSL 3 has MD4, which Python's NTLM needs, only with this. */
const LEGACY = 'openssl_conf = o\n[o]\nproviders = p\n[p]\ndefault = d\nlegacy = l\n[d]\nactivate = 1\n[l]\nactivate = 1\n';

interface Doors {
  readonly sealed: string;
  readonly secure: string;
  readonly vm: string;
}

async function meanOf(count: number, work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < count; i += 1) await work();
  return (performance.now() - began) / count;
}

/** A request of Node's own over TLS, kept alive, that asks and gets what ours does. */
function plainAsk({ secure }: Doors, path: WmiPath): { ask: () => Promise<void>; close: () => void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  const authorization = `Basic ${Buffer.from(`${FRONT_USER.user}:${FRONT_USER.password}`).toString('base64')}`;
  const ask = async (): Promise<void> => {
    const body = Buffer.from(writeGet({ url: secure, timeout: DEADLINE_MS }, path).text);
    const sent = request(secure, { method: 'POST', agent, headers: { authorization, 'content-type': 'application/soap+xml;charset=UTF-8', 'content-length': body.length } }).end(body);
    const [answer] = await once(sent, 'response') as [NodeJS.ReadableStream & { statusCode?: number }];
    for await (const chunk of answer) void chunk;
    if (answer.statusCode !== 200) throw new Error(`the plain request was answered with ${answer.statusCode}`);
  };
  return { ask, close: () => agent.destroy() };
}

async function askByProcess({ sealed, vm }: Doors, config: string): Promise<void> {
  const client = new PyWinrm(
    { endpoint: sealed, transport: 'ntlm', username: `${FRONT_USER.domain}\\${FRONT_USER.user}`, password: FRONT_USER.password, message_encryption: 'always' }, { OPENSSL_CONF: config },
  );
  const { error, words } = await client.ask(get('root/virtualization/v2/Msvm_ComputerSystem', { CreationClassName: 'Msvm_ComputerSystem', Name: vm }));
  await client.close();
  if (error !== undefined) throw new Error(`${error}: ${words ?? ''}`);
}

async function* status(settings: Settings, doors: Doors): AsyncGenerator<Row> {
  const config = join(scratchFolder('wmi'), 'openssl.cnf');
  writeFileSync(config, LEGACY);
  const path: WmiPath = { namespace: 'root/virtualization/v2', className: 'Msvm_ComputerSystem', keys: { CreationClassName: 'Msvm_ComputerSystem', Name: doors.vm } };
  const session = new WsmanSession({ origin: new URL(doors.sealed), trust: { kind: 'anyone' }, login: { kind: 'ntlm', ...FRONT_USER } });
  const ours = (): Promise<unknown> => session.get(path, AbortSignal.timeout(DEADLINE_MS));
  const plain = plainAsk(doors, path);
  await meanOf(REQUESTS, ours);
  await meanOf(REQUESTS, plain.ask);
  const [mine = [], theirs = [], processes = []] = await interleave(settings.rounds, [
    () => meanOf(REQUESTS, ours), () => meanOf(REQUESTS, plain.ask), () => meanOf(1, () => askByProcess(doors, config)),
  ]);
  plain.close();
  await session.close();
  const what = 'hyperv: the state of a VM, sealed';
  const ratio = pairedRatio(mine, theirs);
  yield { what, unit: 'ms', ours: summarise(mine), peer: { name: 'Node HTTPS', figure: summarise(theirs) }, ratio, target: { text: `≤ ${SEALED_LIMIT}`, met: ratio <= SEALED_LIMIT } };
  const faster = pairedRatio(processes, mine);
  yield { what, unit: 'ms', ours: summarise(mine), peer: { name: 'pywinrm', figure: summarise(processes) }, ratio: faster, target: atLeast(faster, PROCESS_LEAST) };
}

const table = ({ sealed }: Doors) => ({ address: '127.0.0.1', url: sealed, user: `${FRONT_USER.domain}\\${FRONT_USER.user}`, password: FRONT_USER.password });

async function* refreshes(settings: Settings, doors: Doors): AsyncGenerator<Row> {
  const what = `hyperv: ${VMS} VMs`;
  const driver = hyperv.open(v.parse(v.strictObject(hyperv.options), table(doors)), {
    name: 'hv1', log: () => undefined, changed: () => undefined, relist: () => undefined, lost: () => undefined,
  });
  const list = (): Promise<unknown> => driver.list(AbortSignal.timeout(DEADLINE_MS));
  await list();
  const [refresh = []] = await interleave(settings.rounds, [() => meanOf(1, list)]);
  await driver.close(AbortSignal.timeout(DEADLINE_MS));
  const figure = summarise(refresh);
  yield { what: `${what}: refresh`, unit: 'ms', ours: figure, target: below(figure.median, REFRESH_LIMIT, ' ms') };

  const { address, url, user, password } = table(doors);
  const server = await startOurs(`\n[providers.hv1]\ntype = "hyperv"\naddress = "${address}"\nurl = "${url}"\nuser = '${user}'\npassword = "${password}"\npoll-interval = "${POLL}"\n`);
  const [probes = []] = await interleave(settings.rounds, [() => probe(settings, server, { seconds: settings.seconds, rate: PROBE_RATE })]);
  await stop(server.child);
  yield waitRow(`${what}: nop p99 during refreshes`, probes, NOP_LIMIT);
}

/** A Hyper-V host behind a real NTLM that wants everything sealed. */
export const hypervRows: Scenario = async function* (settings): AsyncGenerator<Row> {
  const missing = lacksFront() || lacks('openssl');
  if (missing !== false) return void (yield { what: 'hyperv', unit: 'ms', note: missing });
  const child = start(process.execPath, [fromRoot('dist', 'bench', 'peers', 'wmi-server.js'), String(VMS)], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const [line] = await once(child.stdout!, 'data') as [Buffer];
    const doors = JSON.parse(String(line)) as Doors;
    yield* status(settings, doors);
    yield* refreshes(settings, doors);
  } finally {
    await stop(child);
  }
};
