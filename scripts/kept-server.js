/** `kept-server.js BUNDLE CONFIGURATION`: runs the server, and at its end keeps what V8 has of its code by then. */
import { createRequire } from 'node:module';
import vm from 'node:vm';

const [bundle, file] = process.argv.slice(2);
const require = createRequire(import.meta.url);

/** Of each file that was run, what it was compiled to. @type {Map<string, vm.Script>} */
const scripts = new Map();
vm.Script = class extends vm.Script {
  constructor(/** @type {string} */ code, /** @type {vm.ScriptOptions} */ options) {
    super(code, options);
    scripts.set(String(options.filename), this);
  }
};
const { keepCode } = require(`${bundle}/kit/kept-code.js`);

process.once('exit', (code) => {
  if (code === 0) for (const [path, script] of scripts) keepCode(path, script);
});
process.argv.splice(2, Infinity, '--config', file);
require(`${bundle}/main.js`);
