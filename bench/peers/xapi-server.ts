/** The double of a XenServer pool as a process of its own: `node xapi-server.js COUNT`. Says in one line of JSON where it is. */
import { XapiPeer } from '../../test/peers/xapi.js';

const peer = await XapiPeer.start({ tls: true, vms: Array.from({ length: Number(process.argv[2]) }, (_, index) => `vm${index}`) });
console.log(JSON.stringify({ url: peer.url(), fingerprint: peer.certificate?.fingerprint }));
