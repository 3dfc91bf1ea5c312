import t from 'tap';
import { RfbViewer } from '../../src/instances/rfb-viewer.js';

const bytes = (...parts: (readonly number[] | string)[]): Buffer => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))));

/** What comes of bytes that are sent in chunks of some size. */
function pass(viewer: RfbViewer, sent: Buffer, size = sent.length): { viewer: number[]; server: number[] } {
  const all = { viewer: [] as number[], server: [] as number[] };
  for (let at = 0; at < sent.length; at += size) {
    const { toViewer, toServer } = viewer.receive(sent.subarray(at, at + size));
    all.viewer.push(...toViewer ?? []);
    all.server.push(...toServer ?? []);
  }
  return all;
}

await t.test('a viewer of each version is let in without a password, and shares', (t) => {
  for (const [version, choice, answer] of [
    ['008', [1], [1, 1, 0, 0, 0, 0]], ['007', [1], [1, 1]], ['003', [], [0, 0, 0, 1]], ['005', [], [0, 0, 0, 1]], ['889', [1], [1, 1, 0, 0, 0, 0]],
  ] as const) {
    for (const size of [1, 3, 100]) {
      const viewer = new RfbViewer(false);
      t.equal(viewer.greeting.toString(), 'RFB 003.008\n');
      const got = pass(viewer, bytes(`RFB 003.${version}\n`, choice, [0], [4, 1, 0, 0, 0, 0, 0, 65]), size);
      t.same(got, { viewer: [...answer], server: [1, 4, 1, 0, 0, 0, 0, 0, 65] }, `${version} in pieces of ${size}`);
    }
  }
  t.end();
});

await t.test('who may only look sends nothing that acts', (t) => {
  const looking = [[0, ...Array<number>(19).fill(7)], [2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1], [3, 1, 0, 0, 0, 0, 0, 9, 0, 9]];
  const acting = [
    [4, 1, 0, 0, 0, 0, 0, 65],
    [5, 1, 0, 1, 0, 1],
    [6, 0, 0, 0, 0, 0, 0, 3, 3, 4, 5],
    [6, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe, 4, 5],
    [150, 1, 0, 0, 0, 0, 0, 9, 0, 9],
    [248, 0, 0, 0, 0, 0, 0, 0, 2, 4, 4],
    [250, 0, 1, 2],
    [251, 0, 0, 9, 0, 9, 1, 0, ...Array<number>(16).fill(4)],
    [255, 0, 0, 1, 0, 0, 0, 65, 0, 0, 0, 30],
    [255, 1, 0, 0],
    [255, 1, 0, 2, 0, 1, 0, 0, 0, 4],
  ];
  for (const size of [1, 2, 7, 1000]) {
    const viewer = new RfbViewer(true);
    pass(viewer, bytes('RFB 003.008\n', [1, 1]));
    t.same(pass(viewer, bytes(...acting.flatMap((act, at) => [act, looking[at % 3]!])), size).server, acting.flatMap((_, at) => looking[at % 3]!), `in pieces of ${size}`);
  }
  t.end();
});

await t.test('what is no RFB, or would be misread, ends it', (t) => {
  for (const [what, sent] of [['no RFB', bytes('GET / HTTP/1.0')], ['another security', bytes('RFB 003.008\n', [2])]] as const) {
    t.throws(() => new RfbViewer(false).receive(sent), { message: /^BAD REQUEST/ } as never, what);
  }
  for (const message of [[9, 0, 0, 0], [2, 0, 255, 255], [6, 0, 0, 0, 0x7f, 255, 255, 255]]) {
    const viewer = new RfbViewer(true);
    pass(viewer, bytes('RFB 003.008\n', [1, 1]));
    t.throws(() => viewer.receive(bytes(message)), { message: /^BAD REQUEST/ } as never, String(message[0]));
  }
  t.end();
});
