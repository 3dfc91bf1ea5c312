import type { Socket } from 'node:net';
import { ZABBIX_ANSWER, ZABBIX_CONFIGURATION_ANSWER, ZABBIX_FIRST_BYTE } from '../../kit/zabbix-limits.js';
import { formatDuration } from '../../kit/text.js';
import { underAll } from '../../kit/within.js';
import {
  configKnown, dataAnswer, failure, readAnswer, requestOf, success, tasksAnswer, type DataParts, type KnownConfiguration, type ServerAnswer,
} from './conversation.js';
import { ZabbixError } from './errors.js';
import { CONFIGURATION_LIMITS, encodeFrame, MESSAGE_LIMITS, parseMessage, type Frame } from './frame.js';
import { readFrame, type ReadLimits } from './frame-reader.js';
import type { Asked } from './version-guess.js';

/** What goes out to a server that asked. */
export interface Upload<Parts> {
  readonly parts: Parts;
  /**
   * Told once what became of it.
   * @param answer left out: the server may have had it, or not
   */
  settle(answer: ServerAnswer | undefined): Promise<void>;
}

/** What a proxy in passive mode has for its server. Nothing of it may take longer than the server waits. */
export interface PassiveProxy {
  /** The server asks for this. @returns the version that the answer claims; it comes before the answer is asked for */
  asked(what: Asked): string;
  readonly known: KnownConfiguration;
  /** Takes a configuration, or changes of it, JSON. @throws ZabbixError with the reason for the server */
  configure(content: Buffer): Promise<void>;
  data(): Promise<Upload<DataParts>>;
  /** Room for one message that is as long as a configuration. @returns gives it back @throws ZabbixError where too many want it */
  room(signal: AbortSignal): Promise<() => void>;
  /** Results of tasks alone: asked each second. */
  tasks(): Promise<Upload<Pick<DataParts, 'results' | 'clock' | 'ns'>>>;
}

/**
 * Answers the one request for which a server has made this connection, in passive mode. The caller has looked whether
 * it comes from an allowed address, has begun TLS where that is wanted, and listens to the socket's errors.
 * @returns the request's name; undefined where the server closed the connection without one
 * @throws ZabbixError; the connection is closed then, as it is at the end
 */
export async function answerServer(socket: Socket, proxy: PassiveProxy, signal: AbortSignal): Promise<string | undefined> {
  const room = new Room(proxy, signal);
  const limits = { ...CONFIGURATION_LIMITS, firstMs: ZABBIX_FIRST_BYTE, admitLong: () => room.enter() };
  try {
    const frame = await readFrame(socket, limits, ZABBIX_CONFIGURATION_ANSWER, signal);
    if (frame === undefined) return undefined;
    const request = requestOf(frame.content);
    await answer(request, { socket, frame, limits, proxy, signal });
    await flushed(socket);
    return request;
  } finally {
    room.leave();
    socket.destroy();
  }
}

/** What a connection holds while it brings something long, to its end. */
class Room {
  readonly #proxy: Pick<PassiveProxy, 'room'>;
  readonly #signal: AbortSignal;
  readonly #end = new AbortController();
  #giveBack: (() => void) | undefined;

  constructor(proxy: Pick<PassiveProxy, 'room'>, signal: AbortSignal) {
    this.#proxy = proxy;
    this.#signal = signal;
  }

  async enter(): Promise<void> {
    if (this.#giveBack) return;
    const { signal } = this.#end;
    const giveBack = await underAll([this.#signal, signal], (limited) => this.#proxy.room(limited));
    if (signal.aborted) giveBack();
    else this.#giveBack = giveBack;
  }

  leave(): void {
    this.#end.abort();
    this.#giveBack?.();
  }
}

interface Conversation {
  readonly socket: Socket;
  readonly frame: Frame;
  readonly limits: ReadLimits;
  readonly proxy: PassiveProxy;
  readonly signal: AbortSignal;
}

async function answer(request: string | undefined, conversation: Conversation): Promise<void> {
  const { proxy } = conversation;
  switch (request) {
    case 'proxy config': return configure(conversation);
    case 'proxy data': {
      const version = proxy.asked('data');
      return hand(conversation, await proxy.data(), (parts) => dataAnswer(version, parts));
    }
    case 'proxy tasks': {
      const version = proxy.asked('tasks');
      return hand(conversation, await proxy.tasks(), (parts) => tasksAnswer(version, parts));
    }
    default:
      if (request !== undefined) await say(conversation, failure('this is a proxy: it does not know the request'));
      throw new ZabbixError('GARBAGE', request === undefined ? 'a message that is no request' : `a request that no server makes (${JSON.stringify(request)})`);
  }
}

/** In kind: packed where the server packs. Never as a large frame, which needs 4 GiB. */
async function say({ socket, frame }: Conversation, message: string): Promise<void> {
  socket.write(await encodeFrame(message, { packed: frame.packed }));
}

/** A server before 6.4 sends all of it with the request; since then it asks first what is known. */
async function configure(conversation: Conversation): Promise<void> {
  const { socket, frame, limits, proxy, signal } = conversation;
  let { content } = frame;
  const asksFirst = isBare(content);
  const version = proxy.asked(asksFirst ? 'changes of the configuration' : 'whole configuration');
  if (asksFirst) {
    await say(conversation, configKnown(version, proxy.known));
    const next = await readFrame(socket, { ...limits, firstMs: ZABBIX_CONFIGURATION_ANSWER }, ZABBIX_CONFIGURATION_ANSWER, signal);
    if (next === undefined) throw new ZabbixError('SILENT', `the server closed the connection instead of sending the configuration, as one does that does not take a proxy of version ${version}`);
    content = next.content;
  }
  try {
    await proxy.configure(content);
  } catch (error) {
    if (error instanceof ZabbixError) await say(conversation, failure(error.message, version));
    throw error;
  }
  await say(conversation, success(version));
}

/** Whether a request for the configuration has none in it. */
const isBare = (content: Buffer): boolean => content.length < 200 && parseMessage(content).data === undefined;

async function hand<Parts>(conversation: Conversation, upload: Upload<Parts>, compose: (parts: Parts) => string): Promise<void> {
  const { socket, signal } = conversation;
  let said: ServerAnswer | undefined;
  try {
    await say(conversation, compose(upload.parts));
    const frame = await readFrame(socket, MESSAGE_LIMITS, ZABBIX_ANSWER, signal);
    if (frame === undefined) throw new ZabbixError('SILENT', 'the server closed the connection without saying whether it took what it asked for');
    said = readAnswer(parseMessage(frame.content));
  } finally {
    await upload.settle(said);
  }
}

/** What was said last is with the system: closing the socket before would cut it off. */
function flushed(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new ZabbixError('LATE', `the server did not take the answer within ${formatDuration(ZABBIX_ANSWER)}`)), ZABBIX_ANSWER);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    socket.once('close', done);
    socket.end(done);
  });
}
