import { ArgoError } from '../../kit/errors.js';
import { parseThumbprint, type Trust } from '../../protocols/tls/connect.js';
import { at, numberOf, textOf } from '../../protocols/vim/value.js';
import { openWebmks } from '../../protocols/vim/webmks.js';
import type { ConsoleCall, Consoles, ConsoleStream } from '../driver.js';
import { openScreen } from '../screen.js';
import { tlsTrust } from '../tls/options.js';
import type { Context } from './context.js';
import { explain, explained } from './errors.js';
import type { Item } from './items.js';
import { readState } from './readings.js';

/** Where ESXi shows screens, unless a ticket says otherwise. */
const USUAL_PORT = 443;

export const consolesOf = (context: Context, item: Item, id: string): Consoles => ({
  vnc: async ({ signal }: ConsoleCall): Promise<ConsoleStream> => {
    const state = await readState(context, item, id, signal);
    if (state !== 'on') throw new ArgoError('WRONG STATE', `it is ${state}`);
    const stream = await explained('question', async () => {
      const answer = await context.session.call('AcquireTicket', item.ref, { ticketType: 'webmks' }, signal);
      const ticket = textOf(at(answer, 'ticket'));
      if (ticket === undefined) throw new ArgoError('FAILED', 'vSphere gives no ticket for its screen');
      // An ESXi alone names no host: it is the one that was asked.
      const host = textOf(at(answer, 'host')) ?? context.options.url.hostname.replace(/^\[|\]$/g, '');
      return openWebmks({ host, port: numberOf(at(answer, 'port')) ?? USUAL_PORT, ticket }, trustOf(context, textOf(at(answer, 'sslThumbprint'))), signal);
    });
    return openScreen(stream, undefined, (error) => explain(error, 'question'), signal);
  },
});

/** A host that is not the server itself is known by what the server says of its certificate. */
function trustOf({ options }: Context, thumbprint: string | undefined): Trust {
  if (options.insecure || thumbprint === undefined) return tlsTrust(options);
  const sha1 = parseThumbprint(thumbprint);
  if (sha1 === undefined) throw new ArgoError('FAILED', 'vSphere tells a thumbprint in a form that we do not know');
  return { kind: 'thumbprint', sha1 };
}
