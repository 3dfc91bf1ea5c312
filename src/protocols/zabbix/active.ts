import { configRequest, dataRequest, heartbeat, readAnswer, refusalOf, type DataParts, type KnownConfiguration, type ProxyIdentity, type ServerAnswer } from './conversation.js';
import { CONFIGURATION_EXCHANGE, exchange, MESSAGE_EXCHANGE, type ServerAddress } from './exchange.js';
import { parseMessage } from './frame.js';

/** A proxy in active mode, which asks its server: each question has a connection of its own. */

/**
 * @returns the configuration as it came, JSON, for the reader of configurations
 * @throws ZabbixError
 */
export async function askConfiguration(where: ServerAddress, proxy: ProxyIdentity, known: KnownConfiguration, signal: AbortSignal): Promise<Buffer> {
  return (await exchange(where, configRequest(proxy, known), CONFIGURATION_EXCHANGE, signal)).content;
}

/** Tells that the proxy lives. @throws ZabbixError also where the server did not take it, with its reason */
export async function sendHeartbeat(where: ServerAddress, proxy: ProxyIdentity, signal: AbortSignal): Promise<void> {
  const message = parseMessage((await exchange(where, heartbeat(proxy), MESSAGE_EXCHANGE, signal)).content);
  if (readAnswer(message).accepted) return;
  throw refusalOf(message, true);
}

/**
 * Sends what there is, and asks for tasks. Where it throws, the server may have had it, unless `nothingSent`.
 * @throws ZabbixError
 */
export async function sendData(where: ServerAddress, proxy: ProxyIdentity, parts: DataParts, signal: AbortSignal): Promise<ServerAnswer> {
  const answer = await exchange(where, dataRequest(proxy, parts), MESSAGE_EXCHANGE, signal);
  return readAnswer(parseMessage(answer.content));
}

