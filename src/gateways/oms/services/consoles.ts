import type { InstanceInfo } from '../../../instances/info.js';
import { ArgoError } from '../../../kit/errors.js';
import { noConsole } from '../../../instances/console-order.js';
import type { ConsoleSpot, PortKind } from '../consoles/console-ports.js';
import { OmsError, type FaultName } from '../faults.js';
import { machinesOf } from './machines.js';
import { hostName, machineName, port } from './params.js';
import { hostRow, machineRow, serverRow, type HostAsked, type Row } from './row.js';

/** Consoles by ports: of SSHService and KVMService. */

interface Kind {
  readonly port: PortKind;
  /** why none can be set up */
  readonly cannot: FaultName;
  readonly remove: FaultName;
  readonly check: FaultName;
}

const VNC: Kind = { port: 'VNC', cannot: 'VNCRemoteSetUpError', remove: 'VNCRemoveError', check: 'VNCConnectionCheckError' };
const SSH: Kind = { port: 'SSH', cannot: 'SSHRemoteSetUpError', remove: 'SSHRemoveError', check: 'SSHConnectionCheckError' };

/** What both have in the same words but for their name. @param listed what is told of one */
const sessionRows = (kind: Kind, word: 'vnc' | 'ssh', listed: (spot: ConsoleSpot) => object): Readonly<Record<string, Row>> => ({
  [`remove_session_${word}_connections`]: serverRow({
    run: ({ tools: { consoles }, session }) => {
      consoles.of(kind.port, session).forEach((one) => consoles.remove(one));
      return Promise.resolve(0);
    },
  }),
  [`list_session_${word}_connections`]: serverRow({
    run: ({ tools: { consoles }, session }) => Promise.resolve(consoles.of(kind.port, session).map(listed)),
  }),
  [`check_session_${word}_connection`]: serverRow({
    params: { port },
    run: ({ tools: { consoles }, session, args }) => {
      if (!consoles.of(kind.port, session).some((one) => one.port === args.port)) throw new OmsError(kind.check, `this session has nothing set up on port ${args.port}`);
      return Promise.resolve('0');
    },
  }),
});

export const vncRows: Readonly<Record<string, Row>> = {
  set_up_vnc_connection: machineRow('vm', {
    operation: 'console.open', isOfClient: false,
    run: async ({ tools: { consoles }, session, host, machine }) => {
      if (!machine.capabilities.includes('console vnc')) throw new OmsError(VNC.cannot, noConsole({ ...machine, type: machine.type }, 'vnc').message);
      return String(await consoles.setUp('VNC', session, host, machine));
    },
  }),
  // its own it may let go of, also where the machine is gone or no longer to be seen
  remove_vnc_connection: serverRow({
    params: { host: hostName, machine: machineName },
    run: ({ tools: { consoles, providerOf }, session, args: { host, machine } }) => {
      const spot = consoles.of('VNC', session).find((one) => one.machine.name === machine && (one.host === host || one.machine.provider === providerOf(host)));
      if (spot === undefined) throw new OmsError(VNC.remove, `this session has nothing set up for ${machine} on ${host}`);
      consoles.remove(spot);
      return Promise.resolve(String(spot.port));
    },
  }),
  ...sessionRows(VNC, 'vnc', ({ host, port: at, machine }) => ({ host, port: at, vm: machine.name })),
};

/** Who on a host gives a shell: the one host among its machines, or the one that bears its name. @throws OmsError, ArgoError */
async function shellOf(asked: HostAsked<unknown>): Promise<InstanceInfo> {
  const { actor, host, provider } = asked;
  const able = (await machinesOf(asked, undefined)).filter(({ type, capabilities }) => type === 'host' && capabilities.includes('console shell'));
  const found = able.length === 1 ? able[0] : able.find(({ name }) => name === host || name === provider);
  if (found === undefined) throw new OmsError(SSH.cannot, `${host} has no shell to log in to`);
  if (!actor.may('console.shell', found)) throw new ArgoError('NOT ALLOWED');
  return found;
}

export const sshRows: Readonly<Record<string, Row>> = {
  set_up_ssh_connection: hostRow({
    isOfClient: false,
    run: async (asked) => String(await asked.tools.consoles.setUp('SSH', asked.session, asked.host, await shellOf(asked))),
  }),
  ...sessionRows(SSH, 'ssh', ({ host, port: at }) => ({ host, port: at })),
};
