import { existsSync } from 'node:fs';
import t from 'tap';
import { OPERATOR, RedfishDouble, REDFISH_PROGRAMS } from '../../peers/redfish-double.js';
import { lacks } from '../../support/peers.js';
import { runProgram } from '../../support/programs.js';

/** The double is what clients that others wrote take for a board. */

const { user, password } = OPERATOR;

await t.test('fence_redfish, by Basic', { skip: lacks('fence_redfish', ...REDFISH_PROGRAMS) }, async (t) => {
  for (const resets of ['inline', 'action info'] as const) {
    const double = await RedfishDouble.start({ systems: ['1', '2'], resets });
    t.teardown(() => double.stop());
    const fence = (action: string) => runProgram('fence_redfish', [
      '--ip', '127.0.0.1', '--ipport', String(double.port), '--username', user, '--password', password, '--ssl-insecure', '--redfish-uri', '/redfish/v1',
      '--systems-uri', '/redfish/v1/Systems/2', '--action', action,
    ], { env: process.env });
    t.match(await fence('on'), { code: 0 });
    t.match((await fence('status')).stdout, /ON/);
    t.match(await fence('off'), { code: 0 });
    t.same([double.orders, double.isOn('2')], [['2 On', '2 ForceOff'], false]);
    await double.stop();
  }
});

const SUSHY = `
import sys, sushy, urllib3
urllib3.disable_warnings()
url, user, password = sys.argv[1:]
auth = sushy.auth.SessionAuth(user, password)
root = sushy.Sushy(url + "/redfish/v1", auth=auth, verify=False)
system = root.get_system("/redfish/v1/Systems/1")
print(system.power_state, sorted(value.value for value in system.get_allowed_reset_system_values()))
system.reset_system(sushy.RESET_TYPE_ON)
system.refresh()
print(system.power_state)
system.reset_system(sushy.RESET_TYPE_FORCE_RESTART)
try:
    system.reset_system(sushy.RESET_TYPE_ON)
except sushy.exceptions.HTTPError as error:
    print(type(error).__name__, error.detail)
auth.close()
`;

const lacksSushy = (): string | false =>
  lacks(...REDFISH_PROGRAMS) || (process.env.CI !== 'true' && !existsSync('/usr/lib/python3/dist-packages/sushy') && 'needs python3-sushy');

await t.test('sushy, by a session', { skip: lacksSushy() }, async (t) => {
  const double = await RedfishDouble.start();
  t.teardown(() => double.stop());
  const { code, stdout, stderr } = await runProgram('/usr/bin/python3', ['-c', SUSHY, double.url, user, password], { env: { PATH: process.env.PATH } });
  t.equal(code, 0, stderr);
  t.match(stdout, /^PowerState.OFF \['ForceOff', 'ForceRestart', 'GracefulShutdown', 'On', 'PowerCycle'\]\nPowerState.ON\n\w+ The system is on already\.\n$/);
  t.same(double.orders, ['1 On', '1 ForceRestart']);
  t.equal(double.sessions, 0);
});
