import {
  beginningOfData, configRequest, dataRequest, heartbeat, readAnswer, refusalOf, restOfData, success,
  type DataParts, type KnownConfiguration, type ProxyIdentity, type ServerAnswer,
} from './conversation.js';
import { CONFIGURATION_EXCHANGE, exchange, MESSAGE_EXCHANGE, type ServerAddress } from './exchange.js';
import { BegunFrame, encodeFrame, parseMessage } from './frame.js';
import { isOld } from './version.js';

/** A proxy in active mode, which asks its server: each question has a connection of its own. */

/** As proxies always send. */
const PACKED = { packed: true };

/**
 * Asks for the configuration. The text of 5.4 has a proxy say that it took it; 6.0 and later do not wait for that.
 * @param take is given it as it came, JSON
 * @throws ZabbixError, and what `take` throws
 */
export async function askConfiguration(
  where: ServerAddress,
  proxy: ProxyIdentity,
  known: KnownConfiguration,
  signal: AbortSignal,
  take: (content: Buffer) => Promise<void>,
): Promise<void> {
  const request = await encodeFrame(configRequest(proxy, known), PACKED);
  if (isOld(proxy.version)) {
    await exchange(where, request, CONFIGURATION_EXCHANGE, signal, async ({ content }) => {
      await take(content);
      return success();
    });
  } else await take((await exchange(where, request, CONFIGURATION_EXCHANGE, signal)).content);
}

/** Tells that the proxy lives. @throws ZabbixError also where the server did not take it, with its reason */
export async function sendHeartbeat(where: ServerAddress, proxy: ProxyIdentity, signal: AbortSignal): Promise<void> {
  const message = parseMessage((await exchange(where, await encodeFrame(heartbeat(proxy), PACKED), MESSAGE_EXCHANGE, signal)).content);
  if (readAnswer(message).accepted) return;
  throw refusalOf(message, true);
}

/** Values that go out soon are packed already; all else of their message is put to it when it goes. */
export const beginData = (name: string, parts: Pick<DataParts, 'session' | 'history'>): BegunFrame => new BegunFrame(beginningOfData(name, parts));

/**
 * Sends what there is, and asks for tasks. Where it throws, the server may have had it, unless `nothingSent`.
 * @param begun of {@link beginData} with the same name, session and values; left out: all is packed now
 * @throws ZabbixError
 */
export async function sendData(where: ServerAddress, proxy: ProxyIdentity, parts: DataParts, signal: AbortSignal, begun?: BegunFrame): Promise<ServerAnswer> {
  const wire = await (begun === undefined ? encodeFrame(dataRequest(proxy, parts), PACKED) : begun.finish(restOfData(proxy.version, parts)));
  const answer = await exchange(where, wire, MESSAGE_EXCHANGE, signal);
  return readAnswer(parseMessage(answer.content));
}
