/** `npm run bench`: prepares and measures; the arguments are the bench's own. */
import { fromRoot } from './root.js';
import { prepareOrExit } from './prepare.js';

prepareOrExit({ dev: true });
process.argv[1] = fromRoot('dist', 'bench', 'main.js');
await import('../dist/bench/main.js');
