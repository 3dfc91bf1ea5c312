import t from 'tap';
import { Esxi } from '../../../src/drivers/esxi-free/commands.js';
import { Inventory } from '../../../src/drivers/esxi-free/inventory.js';
import { EsxiModel } from '../../peers/esxi/model.js';
import { until } from '../../support/until.js';
import { openDriver, outcome, patient, shellOf, type Counted } from './model-shell.js';

/** Listings of hosts that are slow to tell of their machines. */

/** Lets a command's answer wait. */
function slowed(shell: Counted, wait: (command: string) => Promise<unknown>): Counted {
  return { most: 0, run: async (effect, command, options) => {
    await wait(command);
    return shell.run(effect, command, options);
  } };
}

function modelOf(count: number): EsxiModel {
  const model = new EsxiModel('7');
  for (let id = 1; id <= count; id += 1) model.add(`vm${id}`, { state: 'poweredOn' });
  return model;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

void t.test('a command\'s time begins when it does, not while it waits for a place', async (t) => {
  const esxi = new Esxi(slowed(shellOf(modelOf(12)), () => pause(200)));
  const asked = Array.from({ length: 12 }, (_, index) => esxi.summary(index + 1, patient, { forListing: true, limit: 500 }));
  t.same((await Promise.all(asked)).map(({ name }) => name), Array.from({ length: 12 }, (_, index) => `vm${index + 1}`));
  const model = modelOf(1);
  model.faults.push({ on: /get\.summary/, does: 'hang' });
  t.equal(await outcome(new Esxi(shellOf(model)).summary(1, patient, { limit: 50 })), 'TIMEOUT: ESXi did not answer "vim-cmd vmsvc/get.summary 1" in 0.05 s');
});

void t.test('what people ask does not queue behind a listing', async (t) => {
  const model = modelOf(8);
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => { release = resolve; });
  let isListing = false;
  let held = 0;
  const shell = slowed(shellOf(model), async (command) => {
    if (!isListing || !command.includes('get.summary') || held >= 3) return;
    held += 1;
    await gate;
  });
  const { driver } = openDriver(model, { esxi: new Esxi(shell) });
  const [, first] = await driver.list(patient);
  isListing = true;
  const listed = driver.list(patient);
  await until(() => held === 3, 5000, 'all places of a listing to be taken');
  t.equal(await first?.machine.status(patient), 'on');
  release();
  t.equal((await listed).length, 9);
});

void t.test('a listing that is not whole says so', async (t) => {
  const model = modelOf(7);
  model.faults.push({ on: /get\.summary 2$/, does: 'hang' });
  const inventory = new Inventory(new Esxi(shellOf(model)), () => undefined, 300);
  t.same((await inventory.refresh(patient)).map(({ summary }) => summary.vmid), [1, 3, 4, 5, 6, 7]);
  t.equal(inventory.incomplete, '1 of 7 machines told nothing of themselves: vmid 2');
  t.match(await outcome(inventory.find('unknown', patient)), /^UNREACHABLE: 1 of 7/, 'it may be that one');
  model.faults.splice(0);
  model.commands.splice(0);
  await inventory.refresh(patient);
  t.equal(model.commands[1], 'vim-cmd vmsvc/get.summary 2', 'and is asked first the next time');
  t.equal(inventory.incomplete, undefined);
  t.equal(await outcome(inventory.find('unknown', patient)), 'NO SUCH INSTANCE: it is no longer registered on its host');
  model.faults.push({ on: /get\.summary [1-7]$/, does: 'hang' });
  t.same((await inventory.refresh(patient)).map(({ summary }) => summary.state), Array(7).fill('unknown'), 'what is known stays, in state unknown');
  t.equal(inventory.incomplete, undefined);
});

void t.test('a driver tells its provider that a listing is not whole', async (t) => {
  const model = modelOf(3);
  model.faults.push({ on: /get\.summary 2$/, does: { says: 'rubbish' }, times: 1 });
  const { driver } = openDriver(model);
  const sightings = await driver.list(patient);
  t.same([sightings.length, sightings.incomplete], [3, '1 of 3 machines told nothing of themselves: vmid 2']);
  t.equal((await driver.list(patient)).incomplete, undefined);
});

void t.test('names are shown as people gave them', async (t) => {
  const model = new EsxiModel('7');
  model.add('a%2fb%5Cc%25d', { state: 'poweredOn' });
  const { driver } = openDriver(model);
  const [host, vm] = await driver.list(patient);
  t.equal(vm?.machine.name, 'a/b\\c%d');
  t.equal(await outcome(vm?.machine.reboot?.(patient)), 'done');
  t.match(await outcome(host?.machine.shutdown?.(patient)), 'WRONG STATE: a/b\\c%d runs on it');
});
