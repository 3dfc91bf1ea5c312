import { randomBytes } from 'node:crypto';
import { NtlmSealing } from '../../src/protocols/ntlm/seal.js';
import { readFrame, writeFrame } from '../../src/protocols/wsman/frame.js';
import { PAGE } from '../../src/protocols/wsman/soap.js';
import { readObject } from '../../src/protocols/wsman/answers.js';
import { XmlReader } from '../../src/protocols/wsman/xml.js';
import { below, type Row } from '../report.js';
import type { Scenario, Settings } from '../scenario.js';
import { interleave, summarise } from '../stats.js';

/** Targets: MB/s, ms. */
const SEALING_LEAST = 20;
const PAGE_LIMIT = 5;
/** A page as Windows sends it: of this size, a VM with its sixty properties. */
const MESSAGE_BYTES = 100_000;
const PROPERTIES = 60;

/** How often something is done in a second, on the average of a while. */
function rate(seconds: number, work: () => void): number {
  const began = performance.now();
  let count = 0;
  for (; performance.now() - began < seconds * 1000; count++) work();
  return count / (performance.now() - began) * 1000;
}

/** One core seals, another session's end opens: MB of 10^6 bytes a second, for both together. */
function sealing({ seconds, warmUp }: Settings): number {
  const key = randomBytes(16);
  const [client, server] = [new NtlmSealing(key), new NtlmSealing(key, 'server')];
  const message = randomBytes(MESSAGE_BYTES);
  const work = (): void => void server.unseal(readFrame(writeFrame(client.seal(message))));
  rate(warmUp, work);
  return 2 * MESSAGE_BYTES * rate(seconds, work) / 1e6;
}

function page(): string {
  const property = (index: number): string => (index % 3 === 0 ? `<p:Nothing${index} xsi:nil="true"/>` : `<p:Property${index}>value &amp; number ${index}</p:Property${index}>`);
  const properties = Array.from({ length: PROPERTIES }, (_, index) => property(index)).join('');
  const vm = `<p:Msvm_ComputerSystem xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:p="urn:p">${properties}</p:Msvm_ComputerSystem>`;
  return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>${vm.repeat(PAGE)}</s:Body></s:Envelope>`;
}

/** How long the event loop belongs to one page, ms: opened and read. */
function reading({ seconds, warmUp }: Settings): number {
  const key = randomBytes(16);
  const [client, server] = [new NtlmSealing(key), new NtlmSealing(key, 'server')];
  const text = Buffer.from(page());
  let spent = 0;
  const once = (): void => {
    const sealed = writeFrame(server.seal(text));
    const began = performance.now();
    const reader = new XmlReader();
    reader.write(client.unseal(readFrame(sealed)).toString());
    reader.end().children[0]?.children.map(readObject);
    spent += performance.now() - began;
  };
  rate(warmUp, once);
  spent = 0;
  const began = performance.now();
  const count = rate(seconds, once) * (performance.now() - began) / 1000;
  return spent / count;
}

/** What sealing costs, and how long a page of a query keeps everybody else waiting. */
export const wsman: Scenario = async function* (settings): AsyncGenerator<Row> {
  const [sealed = [], read = []] = await interleave(settings.rounds, [() => Promise.resolve(sealing(settings)), () => Promise.resolve(reading(settings))]);
  const seals = summarise(sealed);
  yield { what: 'wsman: NTLM sealing and opening', unit: 'MB/s', ours: seals, target: { text: `≥ ${SEALING_LEAST} MB/s`, met: seals.median >= SEALING_LEAST } };
  const reads = summarise(read);
  yield { what: `wsman: to open and read a page of ${PAGE} VMs`, unit: 'ms', ours: reads, target: below(reads.median, PAGE_LIMIT, ' ms') };
};
