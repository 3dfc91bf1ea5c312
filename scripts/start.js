/** `npm start`: makes the daemon ready and becomes it, so that signals reach it. */
import { fromRoot } from './root.js';
import { prepareOrExit } from './prepare.js';

prepareOrExit();
process.argv[1] = fromRoot('bin', 'argo-server.js');
await import('../bin/argo-server.js');
