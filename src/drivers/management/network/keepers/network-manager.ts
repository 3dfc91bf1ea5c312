import type { Keeping, KeptRoute } from '../plan.js';
import { DEFAULT, networkName } from '../state.js';
import type { Keeper, Tools } from './keeper.js';

/**
 * NetworkManager, by nmcli(1): routes and the gateway of a connection that is active. They are written into its profile alone:
 * what they say is so already. Bridges that it does not know are none of its business.
 */
export const networkManager: Keeper = {
  name: 'NetworkManager',
  owns: async (tools, device) => await connectionOf(tools, device) !== undefined,
  keep: async (tools, { device, gone = [], made = [], bridge, member }: Keeping) => {
    const connection = device === undefined ? undefined : await connectionOf(tools, device);
    if (connection === undefined || bridge !== undefined || member !== undefined || made.some((route) => route.interface !== device)) return false;
    const read = (): Promise<string> => tools.ask(['nmcli', '-g', 'ipv4.method,ipv4.gateway,ipv4.routes', 'connection', 'show', 'uuid', connection]);
    const profile = await read();
    const [method = '', gateway = ''] = profile.split('\n');
    const changes: string[] = [];
    for (const route of gone) {
      if (route.destination === DEFAULT ? gateway !== route.gateway : !holds(profile, route)) return false;
      // A metric that its profile does not have, the route has got from NetworkManager.
      changes.push(...(route.destination === DEFAULT ? ['ipv4.gateway', ''] : ['-ipv4.routes', words({ ...route, metric: 0 }), '-ipv4.routes', words(route)]));
    }
    for (const route of made) {
      // One that gets its address by DHCP gets its gateway so, too.
      if (route.destination === DEFAULT && method !== 'manual') return false;
      changes.push(...(route.destination === DEFAULT ? ['ipv4.gateway', route.gateway ?? ''] : ['+ipv4.routes', words(route)]));
    }
    await tools.do(['nmcli', 'connection', 'modify', 'uuid', connection, ...changes]);
    // What is not there is taken away without a complaint.
    const left = gone.find((route) => route.destination !== DEFAULT && !made.some((other) => networkName(other) === networkName(route)));
    if (left !== undefined && holds(await read(), left)) throw new Error(`the profile ${connection} still has the route ${networkName(left)}`);
    return true;
  },
};

/** Whether a profile has a route to that network, in whichever of its forms. */
const holds = (profile: string, { destination, prefix }: KeptRoute): boolean =>
  profile.split(/[^\d./]+/).includes(`${destination}/${prefix}`);

/** A route as ipv4.routes has it: nm-settings-nmcli(5). */
const words = ({ destination, prefix, gateway, metric }: KeptRoute): string =>
  [`${destination}/${prefix}`, ...(gateway === undefined ? [] : [gateway]), ...(metric === 0 ? [] : [String(metric)])].join(' ');

/** The uuid of the profile that an interface is up by, or of any that is. */
async function connectionOf(tools: Tools, device: string | undefined): Promise<string | undefined> {
  const listed = await tools.tryToAsk(['nmcli', '-t', '-f', 'UUID,DEVICE', 'connection', 'show', '--active']);
  return listed?.split('\n').map((line) => line.split(':')).find(([, name = '']) => (device === undefined ? name !== '' && name !== 'lo' : name === device))?.[0];
}
