import t from 'tap';
import { options, testTemplates } from './support/templates-through.js';

await t.test('templates, by the socket of their libvirt', options, (t) => testTemplates(t, 'here'));
