import t from 'tap';
import { newToken, tokenHash } from '../../src/auth/tokens.js';
import { accountsFor } from '../../src/gateways/accounts.js';
import { SEED_CONFIG, startCore } from '../server/core.js';

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
