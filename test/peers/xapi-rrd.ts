import type { World } from './xapi-world.js';

/** Seconds between samples, and how many are kept (xcp-rrdd's archives). */
const ARCHIVES = [[5, 120], [60, 120], [3600, 168], [86_400, 366]] as const;

/** What `/rrd_updates` of a host answers: rates of the VMs that run there, newest first, with one gap. */
export function writeUpdates(world: World, host: string, query: URLSearchParams, accept: string): { type: string; text: string } {
  const interval = Number(query.get('interval') ?? 5);
  const [step, kept] = ARCHIVES.find(([each]) => each >= interval) ?? ARCHIVES[3];
  const now = Date.now() / 1000;
  const newest = Math.floor(now / step) * step;
  const oldest = Math.max(Number(query.get('start') ?? newest), now - step * kept);
  const vms = [...world.table('VM').values()].filter((vm) => vm.resident_on === host && vm.uuid === query.get('vm_uuid'));
  const columns = vms.flatMap(({ uuid, metrics }) => {
    const started = Number(world.table('VM_metrics').get(metrics as string)?.start_time ?? 0) / 1000;
    // A sample tells the mean of what was measured in its step: nothing before the VM was there.
    const known = (time: number): number => (time > started ? 1 : NaN);
    return [
      { name: `AVERAGE:vm:${String(uuid)}:vif_0_rx`, at: (time: number) => world.rates.rx * known(time) },
      { name: `AVERAGE:vm:${String(uuid)}:vif_0_tx`, at: (time: number) => world.rates.tx * known(time) },
      { name: `AVERAGE:vm:${String(uuid)}:cpu0`, at: () => 0.25 },
      { name: `AVERAGE:vm:${String(uuid)}:cpu1`, at: (time: number) => (time === newest ? NaN : 0.75) },
    ];
  });
  const times: number[] = [];
  for (let time = newest; time > oldest; time -= step) times.push(time);
  const value = (each: number): string => (Number.isNaN(each) ? 'NaN' : each.toFixed(4));
  if (/json|\*\/\*/.test(accept)) {
    const rows = times.map((time) => `{"t":${time},"values":[${columns.map(({ at }) => value(at(time))).join(',')}]}`);
    return { type: 'application/json', text: `{"meta":{"step":${step},"legend":${JSON.stringify(columns.map(({ name }) => name))}},"data":[${rows.join(',')}]}` };
  }
  const rows = times.map((time) => `<row><t>${time}</t>${columns.map(({ at }) => `<v>${value(at(time))}</v>`).join('')}</row>`);
  const legend = columns.map(({ name }) => `<entry>${name}</entry>`).join('');
  return {
    type: 'text/xml',
    text: `<?xml version="1.0"?><xport><meta><start>${times.at(-1) ?? newest}</start><step>${step}</step><end>${newest}</end><rows>${times.length}</rows>`
      + `<columns>${columns.length}</columns><legend>${legend}</legend></meta><data>${rows.join('')}</data></xport>`,
  };
}
