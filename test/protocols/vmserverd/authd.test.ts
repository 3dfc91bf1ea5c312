import t from 'tap';
import { AUTHD_FAILURES, AUTHD_LINE } from '../../../src/kit/vmserverd-limits.js';
import { type AuthdCalls, AuthdConversation, AuthdLines, banner, commandLine, LineTooLongError, readBanner, readReply, SSL_REQUIRED, UNDECIDED } from '../../../src/protocols/vmserverd/authd.js';

const CALLS: AuthdCalls = { login: (user, password) => Promise.resolve(user === 'operator' && password === 's3 cret'), hasService: () => true };

const talk = async (conversation: AuthdConversation, ...lines: readonly string[]): Promise<string> => {
  let said = '';
  for (const line of lines) said = (await conversation.take(line)).reply;
  return said;
};

void t.test('banners that the tools take', (t) => {
  t.equal(banner('1.00'), '220 VMware Authentication Daemon Version 1.00\r\n');
  t.equal(banner('1.10'), '220 VMware Authentication Daemon Version 1.10: SSL Required\r\n');
  t.equal(SSL_REQUIRED, '530 SSL required.\r\n');
  t.end();
});

void t.test('a login, word for word', async (t) => {
  const conversation = new AuthdConversation('1.10', CALLS);
  for (const [line, reply, then] of [
    ['', '530 Please login with USER and PASS.\r\n', 'go on'],
    ['GLOBAL server', '530 Please login with USER and PASS.\r\n', 'go on'],
    ['BANNER', '530 Please login with USER and PASS.\r\n', 'go on'],
    ['<exec><op>inc</op></exec>', '530 Please login with USER and PASS.\r\n', 'go on'],
    ['PASS s3 cret', '503 Login with USER first.\r\n', 'go on'],
    ['USER operator', '331 Password required for operator.\r\n', 'go on'],
    ['PASS wrong1', '530 Login incorrect.\r\n', 'go on'],
    ['PASS s3 cret', '503 Login with USER first.\r\n', 'go on'],
    ['user operator', '331 Password required for operator.\r\n', 'go on'],
    ['pass s3 cret', '230 User operator logged in.\r\n', 'go on'],
    ['BANNER', '220 VMware Authentication Daemon Version 1.10\r\n', 'go on'],
    ['CONNECT /vms/a/a.vmx mks', '500 Unknown command.\r\n', 'go on'],
    ['', '530 Please login with USER and PASS.\r\n', 'go on'],
    ['GLOBAL server', '200 Connect Global\r\n', 'documents'],
    ['global  vmserverd', '200 Connect Global\r\n', 'documents'],
    ['CONNECT vmserverd', '200 Connect Global\r\n', 'documents'],
    ['QUIT', '221 Goodbye\r\n', 'close'],
  ] as const) t.same(await conversation.take(line), { reply, then }, line);
  t.end();
});

void t.test('whoever begins a new login has lost the old one', async (t) => {
  const conversation = new AuthdConversation('1.00', CALLS);
  t.match(await talk(conversation, 'USER operator', 'PASS s3 cret'), /^230 /);
  t.ok(conversation.isLoggedIn);
  t.match(await talk(conversation, 'USER root', 'GLOBAL server'), /^530 Please/);
  t.match(await talk(conversation, 'PASS x', 'GLOBAL server'), /^530 Please/);
  t.notOk(conversation.isLoggedIn);
  t.end();
});

void t.test('an empty password, and an empty name, are asked for like any', async (t) => {
  const asked: string[] = [];
  const conversation = new AuthdConversation('1.00', { ...CALLS, login: (...args) => { asked.push(args.join(':')); return Promise.resolve(false); } });
  await talk(conversation, 'USER operator', 'PASS', 'USER', 'PASS ');
  t.same(asked, ['operator:', ':']);
  t.end();
});

void t.test('after so many wrong passwords it closes', async (t) => {
  const conversation = new AuthdConversation('1.00', CALLS);
  for (let times = 1; times <= AUTHD_FAILURES; times += 1) {
    await conversation.take('USER operator');
    t.same(await conversation.take('PASS x'), { reply: '530 Login incorrect.\r\n', then: times < AUTHD_FAILURES ? 'go on' : 'close' });
  }
  t.end();
});

void t.test('where it cannot be said whether a password is right, nothing is said of it', async (t) => {
  for (const why of Object.keys(UNDECIDED) as (keyof typeof UNDECIDED)[]) {
    const conversation = new AuthdConversation('1.00', { ...CALLS, login: () => Promise.resolve(why) });
    await conversation.take('USER operator');
    const step = await conversation.take('PASS s3 cret');
    t.match(step, { reply: /^421 [^\r\n]+\r\n$/, then: 'close' });
    t.notOk(conversation.isLoggedIn);
  }
  t.end();
});

void t.test('without a service, and for a local user', async (t) => {
  const conversation = new AuthdConversation('1.00', { ...CALLS, hasService: () => false }, true);
  t.same(await conversation.take('GLOBAL server'), { reply: '511 Error connecting to /usr/sbin/vmware-serverd process.\r\n', then: 'go on' });
  t.end();
});

void t.test('a name is said back without what a terminal would obey', async (t) => {
  t.equal(await talk(new AuthdConversation('1.00', CALLS), 'USER a\x1B[31m\u202Eb\x9B\u2028'), '331 Password required for a?[31m?b??.\r\n');
  t.end();
});

void t.test('lines, however they come', (t) => {
  const text = 'USER ä\r\n\r\nPASS x\nGLOBAL server\r\n<exec>';
  for (let size = 1; size <= text.length; size += 1) {
    const lines = new AuthdLines();
    const bytes = Buffer.from(text);
    const seen: string[] = [];
    let rest = 0;
    for (let from = 0; from < bytes.length && seen.length < 4; from += size) {
      const chunk = bytes.subarray(from, from + size);
      for (let at = 0, next; seen.length < 4 && (next = lines.next(chunk, at)) !== undefined; at = next.end) {
        seen.push(next.line);
        rest = from + next.end;
      }
    }
    t.same(seen, ['USER ä', '', 'PASS x', 'GLOBAL server'], `in pieces of ${size}`);
    t.equal(bytes.toString('utf8', rest), '<exec>', 'what follows is left alone');
  }
  const long = new AuthdLines();
  t.equal(long.next(Buffer.from(`${'x'.repeat(AUTHD_LINE)}\n`), 0)?.line.length, AUTHD_LINE);
  t.equal(long.next(Buffer.from(`${'x'.repeat(AUTHD_LINE)}\r\n`), 0)?.line.length, AUTHD_LINE, 'its end does not count');
  t.throws(() => new AuthdLines().next(Buffer.from(`${'x'.repeat(AUTHD_LINE + 1)}\n`), 0), LineTooLongError);
  t.throws(() => new AuthdLines().next(Buffer.alloc(AUTHD_LINE + 1, 'x'), 0), LineTooLongError, 'as soon as it is known');
  t.equal(long.next(Buffer.alloc(AUTHD_LINE, 'x'), 0), undefined);
  t.throws(() => long.next(Buffer.from('x'), 0), LineTooLongError);
  t.end();
});

void t.test('the client\'s side', (t) => {
  for (const [line, expected] of [
    ['220 VMware Authentication Daemon Version 1.00', { version: '1.00', isTls: false }],
    ['220 VMware Authentication Daemon Version 1.10: SSL Required', { version: '1.10', isTls: true }],
    ['220 VMware Authentication Daemon Version 1.10: SSL Required, ServerDaemonProtocol:SOAP, MKSDisplayProtocol:VNC , , NFCSSL supported/t', { version: '1.10', isTls: true }],
    ['220 VMware Authentication Daemon Version 1.0, ServerDaemonProtocol:SOAP, MKSDisplayProtocol:VNC , , NFCSSL supported', { version: '1.0', isTls: false }],
    ['220 ProFTPD ready', undefined], ['SSH-2.0-x', undefined], ['', undefined],
  ] as const) t.same(readBanner(line), expected, line);
  t.same(readReply('331 Password required for x.'), { code: 331, words: 'Password required for x.' });
  t.same(readReply('230'), { code: 230, words: '' });
  for (const none of ['', '23', '2300 x', 'x', '<exec>']) t.equal(readReply(none), undefined);
  t.equal(commandLine('USER', 'a b'), 'USER a b\r\n');
  t.equal(commandLine('QUIT'), 'QUIT\r\n');
  for (const bad of ['secret\r\nGLOBAL server', 'secret\n', 'secret\0', 'secret'.repeat(AUTHD_LINE)]) {
    t.throws(() => commandLine('PASS', bad), RangeError);
    try { commandLine('PASS', bad); } catch (error) { t.notMatch((error as Error).message, /secret/); }
  }
  t.end();
});
