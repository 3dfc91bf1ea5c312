import type { KnownSite, SiteProvider } from '../instances/fleet.js';
import { quoted } from '../kit/text.js';
import type { Context, Plugin } from './host/contract.js';

const pair = (key: string, value: string | number | undefined): string => (value === undefined ? '' : ` ${key}=${typeof value === 'number' ? value : quoted(value)}`);
const time = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());
const names = (providers: readonly SiteProvider[]): string | undefined => (providers.length === 0 ? undefined : providers.map(({ name }) => name).join(','));

function inOneLine({ name, trouble, heard, skew, started, version, orders, outbox, providers }: KnownSite): string {
  return [
    `${name} ${trouble === undefined ? 'up' : 'away'}`,
    pair('trouble', trouble), pair('heard', time(heard)), pair('skew', skew === undefined ? undefined : `${Math.round(skew)}ms`),
    pair('version', version), pair('started', time(started)), pair('orders', orders), pair('outbox', outbox),
    pair('providers', names(providers)),
    pair('stale', names(providers.filter(({ stale }) => stale !== undefined))),
    pair('elsewhere', names(providers.filter(({ held }) => !held))),
  ].join('');
}

const asJson = ({ heard, started, ...site }: KnownSite): string =>
  JSON.stringify({ ...site, up: site.trouble === undefined, heard: time(heard), started: time(started) });

async function run(request: Context): Promise<void> {
  const { actor: { fleet }, args, body, options } = request;
  if (args.length > 0) request.usage();
  const view = await fleet.view();
  if (view === undefined) return request.remark('this server is no front of a fleet');
  await body.lines(view.sites.map(options.json ? asJson : inOneLine));
  if (view.trouble !== undefined) request.remark(`no connection to the bus: ${view.trouble}`);
}

export default {
  commands: [{
    word: 'fleet',
    usage: 'fleet [--json]',
    help: 'Show the sites of the fleet: which can be ordered, when each was heard of, what waits there.',
    right: 'read',
    options: ['json'],
    run,
  }],
} satisfies Plugin;
