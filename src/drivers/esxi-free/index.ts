import * as v from 'valibot';
import { flag } from '../../config/values.js';
import type { Driver, DriverHost, DriverModule } from '../driver.js';
import { boardOf } from '../host/boards.js';
import { singleHostEntries, singleHostSettings } from '../host/options.js';
import { HOST_ACTION_TIMEOUT, HostPower, leasePinger } from '../host/power.js';
import { openJump, openSession, sshEntries } from '../ssh/options.js';
import { serviceSign } from '../ssh/service-sign.js';
import { loginShell } from '../ssh/shell.js';
import { Esxi, shellOver } from './commands.js';
import { EsxiFreeDriver } from './driver.js';

/** The keys of a `[providers.NAME]` table of type esxi-free. */
const options = {
  ...singleHostEntries,
  ...sshEntries,
  shell: v.optional(flag, false),
  'stay-in-maintenance': v.optional(flag, false),
};

const SSH_PORT = 22;

type EsxiFreeOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;

function open(given: EsxiFreeOptions, host: DriverHost): Driver {
  const { log } = host;
  const lease = leasePinger(log);
  const jump = openJump(given);
  const session = openSession(given, given, jump);
  // A host that drops pings answers where it lets us log in.
  const settings = singleHostSettings(host.name, given);
  const presence = new HostPower(settings, { pinger: lease.pinger, log, ...serviceSign(jump, settings.address, given['ssh-port'] ?? SSH_PORT) });
  const board = boardOf(presence, log, false);
  return new EsxiFreeDriver({
    esxi: new Esxi(shellOver(session)),
    presence,
    board,
    shell: given.shell ? loginShell(session) : undefined,
    staysInMaintenance: given['stay-in-maintenance'],
    goingDown: () => session.retire(),
    close: () => {
      session.close();
      jump?.close();
      void board?.board.close();
      lease.release();
    },
  }, host);
}

/** A free ESXi host and its virtual machines: ping, SSH with vim-cmd and esxcli, Wake-on-LAN. */
const esxiFree: DriverModule<typeof options> = {
  options,
  defaults: {
    actionTimeout: HOST_ACTION_TIMEOUT,
    // A listing costs the host one vim-cmd a machine.
    pollInterval: 60_000,
  },
  open,
};

export default esxiFree;
