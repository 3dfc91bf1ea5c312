/**
 * The double of a Hyper-V host as a process of its own, behind two doors: `node wmi-server.js COUNT`. Says
 * in one line of JSON where they are; one seals by a real NTLM, the other takes Basic over TLS.
 */
import { FRONT_USER, WmiFront } from '../../test/peers/wmi-front.js';
import { startWmiDouble } from '../../test/peers/wmi/index.js';
import { makeCertificate } from '../../test/peers/xapi.js';

const double = await startWmiDouble({ role: 'hyperv', vms: Number(process.argv[2]) });
const certificate = makeCertificate();
const sealed = await WmiFront.start({ backend: double.url, requireSeal: true });
const secure = await WmiFront.start({ backend: double.url, tls: certificate, schemes: ['Basic'], basic: { [FRONT_USER.user]: FRONT_USER.password } });
console.log(JSON.stringify({ sealed: sealed.url, secure: secure.url, vm: double.world.hyperv.vms[0]?.id }));
