import { ArgoError } from '../kit/errors.js';
import { NAMES_SHOWN } from '../kit/limits.js';
import { parseDuration } from '../kit/text.js';
import type { EnrolledHost, EnrolmentRequest, EnrolmentToken, HostPlace } from '../instances/enrolment.js';
import type { Context, Plugin } from './host/contract.js';

/** Hosts that are to be managed: from the request to their removal. */

/** `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`, an address of IPv6. */
const PLACE = /^(?:\[([^\]\s]+)\]|([^:\s]+))(?::(\d{1,5}))?$/;
const FINGERPRINT = /^SHA256:/;
const TOKEN = /^argo-enrol_/;

const place = ({ host, port }: Pick<EnrolledHost, 'host' | 'port'>): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;
const requestLine = (one: EnrolmentRequest): string => `waiting ${one.name} ${place(one)} ${one.key.type} ${one.key.fingerprint} ${one.account} ${one.at.toISOString()}`;
const hostLine = (one: EnrolledHost): string => `${one.isLeft ? 'left' : 'enrolled'} ${one.name} ${place(one)} ${one.key.type} ${one.key.fingerprint} ${one.user} ${one.type}${one.isIdentified ? '' : '?'} ${one.at.toISOString()}`;

const tokenLine = ({ id, account, expires }: EnrolmentToken): string => `token ${id} ${account} until ${expires.toISOString()}`;

function parsePlace(word: string): HostPlace | undefined {
  const [, address, host = address, port] = PLACE.exec(word) ?? [];
  if (host !== undefined) return { host, ...(port === undefined ? {} : { port: Number(port) }) };
  return word.includes(':') && !word.includes(' ') ? { host: word } : undefined;
}

async function list(request: Context): Promise<void> {
  const { actor: { enrolment }, args, body, options } = request;
  if (args.length > 0) request.usage();
  const [requests, hosts, tokens] = [await enrolment.requests(), await enrolment.hosts(), await enrolment.tokens()];
  await body.lines(options.json ? [
    ...requests.map((one) => JSON.stringify({ state: 'waiting', ...one })), ...hosts.map(({ isLeft, ...one }) => JSON.stringify({ state: isLeft ? 'left' : 'enrolled', ...one })),
    ...tokens.map((one) => JSON.stringify({ state: 'token', ...one })),
  ] : [...requests.map(requestLine), ...hosts.map(hostLine), ...tokens.map(tokenLine)]);
}

async function add(request: Context): Promise<void> {
  const { actor: { enrolment }, args: [word, name, ...rest], body } = request;
  const found = word === undefined ? undefined : parsePlace(word);
  if (found === undefined || rest.length > 0) request.usage();
  body.line(requestLine(await enrolment.add({ ...found, ...(name === undefined ? {} : { name }) })));
  request.remark('compare the fingerprint with the host\'s own: ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub');
}

async function approve(request: Context): Promise<void> {
  const { actor: { enrolment }, args: [name, ...words], body } = request;
  const fingerprint = FINGERPRINT.test(words[0] ?? '') ? words.shift() : undefined;
  const [user, password, ...rest] = words;
  if (name === undefined || rest.length > 0) request.usage();
  const login = { ...(user === undefined ? {} : { user }), ...(password === undefined ? {} : { password }) };
  const [host] = await enrolment.approve([name], login, fingerprint === undefined ? {} : { [name]: fingerprint });
  if (host === undefined) throw new ArgoError('INTERNAL ERROR');
  body.line(hostLine(host));
  if (!host.isIdentified) request.remark('nothing that manages machines was found on it: `tag type` says what it is');
}

async function refuse(request: Context): Promise<void> {
  if (request.args.length === 0) request.usage();
  await request.actor.enrolment.refuse(request.args);
}

async function remove(request: Context): Promise<void> {
  if (request.args.length === 0) request.usage();
  const { failed } = await request.actor.enrolment.remove(request.args);
  if (failed.length === 0) return;
  const names = failed.slice(0, NAMES_SHOWN).join(', ');
  throw new ArgoError('UNCERTAIN', `removed, and the server's key may still be on ${names}; try it again, or take it out of authorized_keys there`);
}

/** The token alone in the first line, so that a script can read it. */
async function token(request: Context): Promise<void> {
  const { actor: { enrolment }, args: [life, ...rest], body } = request;
  const ms = life === undefined ? undefined : parseDuration(life) ?? request.usage();
  if (rest.length > 0) request.usage();
  const made = await enrolment.token(ms);
  body.line(made.token);
  request.remark(`good for one host, until ${made.expires.toISOString()}; enrol revoke ${made.id} ends it`);
}

async function revoke(request: Context): Promise<void> {
  if (request.args.length === 0) request.usage();
  await request.actor.enrolment.revoke(request.args);
}

async function ask(request: Context): Promise<void> {
  const { actor: { enrolment }, args: [word, name, type, key, port, ...rest], body } = request;
  // who does not know of it is told what he is told of any word before login
  if (!TOKEN.test(word ?? '')) throw new ArgoError('NOT AUTHENTICATED');
  if (word === undefined || name === undefined || type === undefined || key === undefined || rest.length > 0 || (port !== undefined && !/^\d{1,5}$/.test(port))) request.usage();
  const { name: known, host, port: at, key: shown } = await enrolment.ask({ token: word, name, key, ...(port === undefined ? {} : { port: Number(port) }) });
  body.line(`waiting ${known} ${place({ host, port: at })} ${shown.type} ${shown.fingerprint}`);
  request.remark('somebody has to approve it');
}

export default {
  commands: [{
    word: 'enrol-me',
    usage: 'enrol-me TOKEN NAME KEYTYPE KEY [PORT]',
    help: 'Ask, as a host, to be managed: with a token of `enrol token`, and the host\'s own public SSH key.',
    right: 'anyone',
    rawWords: true,
    unlisted: true,
    run: ask,
  }, {
    word: 'enrol',
    help: 'Hosts that are to be managed: let them in, and out.',
    verbs: [{
      word: 'list', usage: 'enrol list [--json]', help: 'List the hosts that wait, with the keys that they have shown, and those that were let in.', right: 'host',
      options: ['json'], run: list,
    }, {
      word: 'add', usage: 'enrol add HOST[:PORT] [NAME]', help: 'Ask a host for its SSH key, and let it wait.', right: 'host', run: add,
    }, {
      word: 'approve', usage: 'enrol approve NAME [FINGERPRINT] [USER [PASSWORD]]', help: 'Let a host in: the server logs in with its own key from then on.', right: 'host', run: approve,
    }, {
      word: 'refuse', usage: 'enrol refuse NAME...', help: 'Let hosts wait no longer, or forget those that are left.', right: 'host', run: refuse,
    }, {
      word: 'remove', usage: 'enrol remove NAME...', help: 'Take the server\'s key from hosts, and manage them no longer.', right: 'host', run: remove,
    }, {
      word: 'token', usage: 'enrol token [LIFE]', help: 'Make a token with which one host may ask by itself: good for an hour, or LIFE, as 30m or 7d.', right: 'host', run: token,
    }, {
      word: 'revoke', usage: 'enrol revoke ID...', help: 'End tokens that no host has used.', right: 'host', run: revoke,
    }, {
      word: 'key', usage: 'enrol key', help: 'Show the server\'s own public key, to be put into authorized_keys of a host.', right: 'host',
      async run(request) {
        if (request.args.length > 0) request.usage();
        request.body.line(await request.actor.enrolment.publicKey());
      },
    }],
  }],
} satisfies Plugin;
