import t from 'tap';
import type { ProviderSettings } from '../../../src/config/config.js';
import { Offers } from '../../../src/fleet/site/offers.js';

const settings = (name: string, lease?: string): ProviderSettings => (
  { name, type: 'libvirt', options: {}, actionTimeout: undefined, pollInterval: undefined, concurrency: undefined, fingerprint: '', ...(lease !== undefined && { lease }) });

interface Known {
  readonly holder: string | undefined;
  readonly term: number;
  readonly trouble: string | undefined;
}

/** A site with a provider that two sites serve, and one of its own. */
function offersWith(lease: Known | undefined) {
  const offers = new Offers({
    stock: { provider: (name) => ({ name, type: 'libvirt', stale: undefined, isListed: true, hasLog: false }) },
    share: () => ['*'], providers: () => new Map([['kvm1', settings('kvm1')], ['san1', settings('san1', 'san1')]]), leaseOf: () => lease,
  });
  const [own, shared] = offers.list();
  t.same([own, offers.isTold('kvm1'), offers.isOpen('kvm1')], [{ name: 'kvm1', type: 'libvirt', held: true, dmesg: false }, true, false], 'what needs no lease');
  return { held: shared!.held, stale: shared!.stale, isTold: offers.isTold('san1'), isOpen: offers.isOpen('san1') };
}

await t.test('a provider that is gone is not offered, and what is under way there ends with it', (t) => {
  const offers = new Offers({
    stock: { provider: (name) => (name === 'munich.kvm1' ? { name, type: 'libvirt', stale: undefined, isListed: true, hasLog: false } : undefined) },
    share: () => ['kvm*', 'munich.*'], providers: () => new Map([['kvm1', settings('kvm1')]]), leaseOf: () => undefined,
  });
  t.same(['kvm1', 'kvm2', 'san1', 'munich.kvm1'].map((name) => [offers.isShared(name), offers.isGone(name)]), [[true, false], [false, true], [false, false], [false, false]], 'one of another site is neither');
  t.end();
});

await t.test('whose machines a site tells of, where several serve them', (t) => {
  t.same(offersWith({ holder: undefined, term: 3, trouble: undefined }), { held: true, stale: undefined, isTold: true, isOpen: false }, 'it has the lease');
  const another = 'no lease san1: paris has it';
  t.same(offersWith({ holder: 'paris', term: 3, trouble: another }), { held: false, stale: another, isTold: false, isOpen: false }, 'another one has it now');
  t.same(offersWith({ holder: 'paris', term: 0, trouble: another }), { held: false, stale: another, isTold: false, isOpen: false }, 'another one has it');
  const nobody = 'no lease san1: the store does not answer';
  t.same(offersWith({ holder: undefined, term: 3, trouble: nobody }), { held: true, stale: nobody, isTold: true, isOpen: false }, 'it had it, and nobody is known to have it: the machines are there still');
  t.same(offersWith({ holder: undefined, term: 0, trouble: nobody }), { held: true, stale: nobody, isTold: false, isOpen: true }, 'nobody knows yet');
  t.same(offersWith(undefined), { held: true, stale: 'no lease san1: it is not asked for yet', isTold: false, isOpen: true }, 'it is not asked for yet');
  t.equal(new Offers({ stock: { provider: () => undefined }, share: () => ['kvm*'], providers: () => new Map([['san1', settings('san1')]]), leaseOf: () => undefined }).isOpen('san1'), false, 'what is not offered');
  t.end();
});
