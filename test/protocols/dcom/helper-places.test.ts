import t from 'tap';
import { HelperPlaces, type Holder } from '../../../src/protocols/dcom/helper-places.js';

const never = new AbortController().signal;

class Guest implements Holder {
  busy = true;
  left = 0;
  giveBack: (() => void) | undefined;

  isBusy(): boolean {
    return this.busy;
  }

  leave(): void {
    this.left += 1;
    this.giveBack?.();
  }

  async enter(places: HelperPlaces, signal = never): Promise<this> {
    this.giveBack = await places.take(this, signal);
    return this;
  }
}

void t.test('places go to who needs them', async (t) => {
  const places = new HelperPlaces(2);
  const [one, two] = [await new Guest().enter(places), await new Guest().enter(places)];
  const third = new Guest();
  let isIn = false;
  const entering = third.enter(places).then(() => { isIn = true; });
  await Promise.resolve();
  t.notOk(isIn, 'both are busy');
  one.busy = false;
  places.noteIdle();
  await entering;
  t.equal(one.left, 1, 'who is idle makes room');
  t.equal(places.taken, 2);
  two.busy = false;
  await new Guest().enter(places);
  t.equal(two.left, 1, 'also for one who comes later');
  t.equal(places.taken, 2);
});

void t.test('who gives up waiting takes no place', async (t) => {
  const places = new HelperPlaces(1);
  const one = await new Guest().enter(places);
  const stop = new AbortController();
  const waiting = new Guest().enter(places, stop.signal);
  const next = new Guest().enter(places);
  stop.abort(new Error('enough'));
  await t.rejects(waiting, /enough/);
  one.giveBack?.();
  one.giveBack?.();
  await next;
  t.equal(places.taken, 1, 'what is given back twice counts once');
  await t.rejects(new Guest().enter(places, AbortSignal.abort(new Error('never'))), /never/);
});
