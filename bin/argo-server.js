#!/usr/bin/env node
import * as module from 'node:module';
import { userInfo } from 'node:os';
import { join } from 'node:path';

/**
 * From Node 22.8 on, compiled code is kept for the next start, which saves it a third. The folder is
 * this user's by the system's own word, not by HOME: what lies there is run. Where it cannot be
 * written, nothing is kept, and nothing is said.
 */
try {
  module.enableCompileCache?.(join(userInfo().homedir, '.cache', 'argo-server'));
} catch {
  // a user without a name or a home
}
await import('../dist/bundle/main.js');
