import t from 'tap';
import { newToken, tokenHash } from '../../src/auth/tokens.js';
import { accountsFor } from '../../src/gateways/accounts.js';
import { SEED_CONFIG, startCore, STEVE_HASH } from '../server/core.js';
import { parseConfig } from '../support/configuration.js';

const TOKEN = newToken();

await t.test('who was let go of leaves nothing behind', async (t) => {
  const config = `${SEED_CONFIG}[[accounts.steve.tokens]]\nname = "script"\nhash = "${tokenHash(TOKEN)}"\nexpires = "2999-01-01T00:00:00Z"\ninstances = ["*"]\ncommands = ["*"]\n`;
  const { authenticator, gate } = await startCore(t, { config });
  const accounts = accountsFor('web', authenticator, gate, () => undefined);
  const before = authenticator.watching.size;
  for (const member of [await accounts.token(TOKEN, '192.0.2.1'), await accounts.login('steve', 'steve', '192.0.2.1')]) {
    t.notOk(member.signal.aborted);
    t.equal(authenticator.watching.size, before + 1, member.name);
    member.release();
    member.release();
    t.equal(authenticator.watching.size, before);
  }
});

await t.test('where somebody comes from is one line in the audit, whatever a gateway says of it', async (t) => {
  const { authenticator, gate, audit } = await startCore(t);
  const member = await accountsFor('web', authenticator, gate, () => undefined).login('steve', 'steve', '192.0.2.1');
  const { instances: [one] } = await member.actor('here').select(['lj']);
  await member.actor('192.0.2.1:5\n2026-01-01 kim').power(one!, { action: 'pause', mode: 'soft', wait: false });
  t.equal(audit.begun.at(-1)?.from, '192.0.2.1:5?2026-01-01 kim web');
});

await t.test('who is taken away is told what of it was', async (t) => {
  const token = `[[accounts.steve.tokens]]\nname = "script"\nhash = "${tokenHash(TOKEN)}"\ninstances = ["*"]\ncommands = ["*"]\n`;
  for (const [config, ofToken, ofLogin] of [
    [SEED_CONFIG, /^NOT AUTHENTICATED: the token holds no longer$/, undefined],
    [SEED_CONFIG.replaceAll('accounts.steve', 'accounts.eve'), /^NOT AUTHENTICATED: the token/, /^NOT AUTHENTICATED: the account was taken away$/],
    [SEED_CONFIG.replace(STEVE_HASH, `${STEVE_HASH.slice(0, -1)}u`) + token, undefined, /^NOT AUTHENTICATED: the account was changed$/],
  ] as const) {
    const { authenticator, gate } = await startCore(t, { config: SEED_CONFIG + token });
    const accounts = accountsFor('web', authenticator, gate, () => undefined);
    const signals = [await accounts.token(TOKEN, '192.0.2.1'), await accounts.login('steve', 'steve', '192.0.2.1')].map((member) => member.signal);
    authenticator.configure(await parseConfig('argo-server.conf', config, '/nonexistent'));
    for (const [index, wanted] of [ofToken, ofLogin].entries()) {
      const { aborted, reason } = signals[index]!;
      t.equal(aborted, wanted !== undefined);
      if (wanted) t.match((reason as Error).message, wanted);
    }
  }
});
