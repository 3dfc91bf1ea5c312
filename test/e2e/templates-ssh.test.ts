import t from 'tap';
import { options, testTemplates } from './support/templates-through.js';

/** The same over a real sshd: as root, and as somebody who has sudo. */

await t.test('templates, over SSH as root', options, (t) => testTemplates(t, 'root'));
await t.test('templates, over SSH by sudo', options, (t) => testTemplates(t, 'sudo'));
