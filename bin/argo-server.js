#!/usr/bin/env node
// CommonJS, as bin/package.json says: a start that loads no ES module is shorter.
const { enableCompileCache } = require('node:module');

/**
 * From Node 22.8 on, compiled code is kept for the next start. The folder is this user's by the system's
 * own word, not by HOME: what lies there is run. Where it cannot be written, nothing is kept, and nothing
 * is said. (Of what every start needs, the build keeps it for its own Node: src/kit/kept-code.ts.)
 */
if (enableCompileCache !== undefined) {
  try {
    enableCompileCache(require('node:path').join(require('node:os').userInfo().homedir, '.cache', 'argo-server'));
  } catch {
    // a user without a name or a home
  }
}
require('../dist/bundle/main.js');
