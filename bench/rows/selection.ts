import { Registry } from '../../src/instances/registry.js';
import { View } from '../../src/instances/view.js';
import type { Principal } from '../../src/instances/principal.js';
import { openProviders, parseConfig } from '../../test/support/configuration.js';
import { below, type Row } from '../report.js';
import type { Scenario } from '../scenario.js';
import { interleave, summarise } from '../stats.js';

/** Instances, and the words that select all or some of them. */
const COUNT = 10_207;
const WORDS = ['vm*', 'vm[00001-10207]', 'vm*[1-7] vm[00001-05000]', Array.from({ length: 20 }, (_, i) => `vm0${i + 1000}`).join(' ')];
/** Selections before the measured ones, for the compiler, and in one measurement. */
const WARM_UP = 20;
const TIMES = 10;

const everything: Principal = {
  name: 'bench', sees: () => true, allows: () => true, allowsProvider: () => true, reaches: () => true, coversProvider: () => true,
  allowsSomewhere: () => true, coversName: () => true,
};

/** How long it takes to find the instances that a request names, within this process. */
export const selection: Scenario = async function* (settings): AsyncGenerator<Row> {
  const registry = new Registry();
  const config = await parseConfig('bench', `[providers.many]\ntype = "sim"\ncount = ${COUNT}\n`, '/nonexistent');
  const providers = await openProviders(config, registry, () => undefined);
  registry.arrange(providers);
  try {
    await Promise.all(providers.map((provider) => provider.refresh()));
    const view = new View(registry, everything);
    for (const text of WORDS) {
      const words = text.split(' ').map((word) => ({ text: word, quoted: false }));
      const select = async (times: number): Promise<number> => {
        const began = performance.now();
        for (let i = 0; i < times; i += 1) await view.select(words, new Map());
        return (performance.now() - began) / times;
      };
      await select(WARM_UP);
      const [runs = []] = await interleave(settings.rounds, [() => select(TIMES)]);
      const figure = summarise(runs);
      const shown = words.length > 3 ? `${words.length} names` : text;
      yield { what: `selection of ${shown}, ${COUNT.toLocaleString('en-GB')} instances`, unit: 'ms', ours: figure, target: below(figure.median, 3, ' ms') };
    }
  } finally {
    await Promise.all(providers.map((provider) => provider.close(0)));
  }
};
