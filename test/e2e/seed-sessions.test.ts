import { spawn } from 'node:child_process';
import t from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { startDaemon } from '../support/daemon.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';

/**
 * The sessions of the page that described the old Argo, with the clients that people used: what
 * their terminals show is compared byte for byte.
 */

const STEVE = await hashPassword('steve');

const CONFIG = `
[accounts.steve]
password = "${STEVE}"
from = ["127.0.0.0/8", "::1"]
[[accounts.steve.grants]]
instances = ["*"]
commands = ["*"]
[providers.itchy]
type = "sim"
instances = ["lj", "builder", "test", "dev"]
`;

/** An account that sees four instances and owns three of them. */
const TENANT = `
[accounts.steve]
password = "${STEVE}"
[[accounts.steve.grants]]
instances = ["lj"]
commands = ["list"]
[[accounts.steve.grants]]
instances = ["*.my.flat"]
commands = ["*"]
[providers.itchy]
type = "sim"
instances = ["lj", "one.my.flat", "three.my.flat", "two.my.flat", "secret"]
`;

/** Within which a client has shown what it is to show, ms. */
const SHOWN_WITHIN = 20_000;

/** Types lines into a client, each when what came before was answered, and gives all that it showed. */
async function talk(program: string, args: string[], greeting: string, exchanges: readonly [string, string][]): Promise<string> {
  const client = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  client.stdin.on('error', () => undefined);
  let shown = '';
  client.stdout.setEncoding('utf8').on('data', (text: string) => { shown += text; });
  const ended = new Promise<void>((resolve) => { client.on('close', () => resolve()); });
  try {
    let expected = greeting;
    await until(() => shown.length >= expected.length, SHOWN_WITHIN, `${program}: ${JSON.stringify(expected)}, got ${JSON.stringify(shown)}`);
    for (const [typed, answer] of exchanges) {
      client.stdin.write(`${typed}\n`);
      expected += answer;
      await until(() => shown.length >= expected.length, SHOWN_WITHIN, `${program}: ${JSON.stringify(expected)}, got ${JSON.stringify(shown)}`);
    }
    client.stdin.end();
    await Promise.race([ended, until(() => false, 1000, 'its end').catch(() => undefined)]);
    return shown;
  } finally {
    client.kill('SIGKILL');
  }
}

const DONE = '200 OK\n300 DONE\n';

const SESSIONS: { title: string; config: string; exchanges: [string, string][] }[] = [
  { title: 'list all installed instances', config: CONFIG, exchanges: [['list available', '200 OK\nlj\nbuilder\ntest\ndev\n300 DONE\n']] },
  { title: 'pause without login', config: CONFIG, exchanges: [['pause lj', '400 NOT AUTHENTICATED\n']] },
  { title: 'log in, pause, exit', config: CONFIG, exchanges: [['auth steve steve', DONE], ['pause lj', DONE], ['exit', DONE]] },
  {
    title: 'pause what is somebody else\'s',
    config: TENANT,
    exchanges: [
      ['auth steve steve', DONE],
      ['list available', '200 OK\nlj\none.my.flat\nthree.my.flat\ntwo.my.flat\n300 DONE\n'],
      ['pause lj', '400 NOT ALLOWED\n'],
    ],
  },
];

void t.test('with netcat', { skip: lacks('nc') }, async (t) => {
  for (const { title, config, exchanges } of SESSIONS) {
    const daemon = await startDaemon({ config });
    t.teardown(() => daemon.stop());
    const shown = await talk('nc', ['127.0.0.1', String(daemon.port)], '', exchanges);
    t.equal(shown, exchanges.map(([, answer]) => answer).join(''), title);
  }
});

void t.test('with telnet', { skip: lacks('telnet') }, async (t) => {
  const greeting = 'Trying 127.0.0.1...\nConnected to 127.0.0.1.\nEscape character is \'^]\'.\n';
  for (const { title, config, exchanges } of SESSIONS) {
    const daemon = await startDaemon({ config });
    t.teardown(() => daemon.stop());
    const shown = await talk('telnet', ['127.0.0.1', String(daemon.port)], greeting, exchanges);
    t.equal(shown, greeting + exchanges.map(([, answer]) => answer).join(''), title);
  }
});
