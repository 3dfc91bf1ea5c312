import { FOUR, LOGIN, startOurs } from '../ours.js';
import { NUT_REQUEST, nutLacks, startUpsd } from '../peers/nut.js';
import { PLUGS, POWERMAN_REQUEST, powermanLacks, startPowermand } from '../peers/powerman.js';
import { stopServers } from '../peers/bare.js';
import type { Row } from '../report.js';
import { compareRates, type Scenario } from '../scenario.js';

/** A cached read: one variable of one device from upsd, the running instances of four from us. */
export const upsd: Scenario = async function* (settings): AsyncGenerator<Row> {
  const lacks = nutLacks();
  if (lacks !== undefined) return void (yield { what: 'cached read', unit: 'req/s', note: lacks });
  const [ours, peer] = [await startOurs(FOUR), await startUpsd()];
  try {
    for (const connections of [1, 100]) {
      yield await compareRates(settings, `cached read, ${connections} connections`,
        { server: ours, load: { connections, request: 'list running\n' } },
        { name: 'upsd GET VAR (C)', server: peer, load: { connections, ...NUT_REQUEST } });
    }
  } finally {
    await stopServers(ours, peer);
  }
};

/** The live state of sixteen: every plug of a controller from powermand, every instance from us. */
export const powerman: Scenario = async function* (settings): AsyncGenerator<Row> {
  const what = `live status of ${PLUGS}, 1 connection`;
  const lacks = powermanLacks();
  if (lacks !== undefined) return void (yield { what, unit: 'req/s', note: lacks });
  const ours = await startOurs(`[providers.demo]\ntype = "sim"\ncount = ${PLUGS}\n`);
  const peer = await startPowermand();
  try {
    yield await compareRates(settings, what, { server: ours, load: { setup: LOGIN, request: 'status *\n' } },
      { name: 'powermand status (C)', server: peer, load: POWERMAN_REQUEST });
  } finally {
    await stopServers(ours, peer);
  }
};
