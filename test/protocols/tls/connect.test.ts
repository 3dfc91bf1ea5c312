import t from 'tap';
import { parseFingerprint } from '../../../src/protocols/tls/connect.js';

void t.test('fingerprints', (t) => {
  const base64 = 'qsx3VyaGyeDQGe9+Y8gHt2BgzQpd3MRvG0D8Ky8uZ0M';
  const hex = Buffer.from(base64, 'base64').toString('hex');
  const colons = hex.toUpperCase().replace(/..(?!$)/g, '$&:');
  for (const text of [base64, `${base64}=`, `SHA256:${base64}`, hex, colons, `sha256:${hex}`, `SHA-256:${colons}`]) t.equal(parseFingerprint(text), base64, text);
  for (const text of ['', 'SHA256:', base64.slice(1), `${hex}00`, 'SHA1:da39a3ee5e6b4b0d3255bfef95601890afd80709']) t.equal(parseFingerprint(text), undefined, text);
  t.end();
});
