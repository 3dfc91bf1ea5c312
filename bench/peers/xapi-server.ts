/**
 * The double of a XenServer pool as a process of its own: `node xapi-server.js COUNT`. Says in one line of
 * JSON where it is. Each line that it reads switches it off, or on again, and is answered by an empty one.
 */
import { createInterface } from 'node:readline';
import { XapiPeer } from '../../test/peers/xapi.js';

const peer = await XapiPeer.start({ tls: true, vms: Array.from({ length: Number(process.argv[2]) }, (_, index) => `vm${index}`) });
console.log(JSON.stringify({ url: peer.url(), fingerprint: peer.certificate?.fingerprint }));
let isOpen = true;
async function toggle(): Promise<void> {
  await (isOpen ? peer.shut() : peer.open());
  isOpen = !isOpen;
  console.log('');
}
createInterface({ input: process.stdin }).on('line', () => void toggle());
