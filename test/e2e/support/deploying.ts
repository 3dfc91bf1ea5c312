import { readFileSync } from 'node:fs';
import { openDriver } from '../../drivers/libvirt/open-driver.js';
import { call, templatesOf } from './templates.js';

/**
 * A process that makes a machine from a template and says `half` when its disk is half copied: to be killed there.
 * Arguments: a file with `uri` and `options` of the provider, the template, the machine's name.
 */
const [file = '', template = '', name = ''] = process.argv.slice(2);
const { uri, options } = JSON.parse(readFileSync(file, 'utf8')) as { uri: string; options: Record<string, unknown> };
const { driver } = openDriver(uri, options);
let isSaid = false;
await templatesOf(driver).deploy({ template, name, settings: {} }, call({
  progress: (part) => {
    if (part < 0.2 || isSaid) return;
    isSaid = true;
    process.stdout.write('half\n');
  },
}));
process.stdout.write('done\n');
