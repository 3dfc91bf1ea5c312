/** `npm run build`: installs and compiles what is missing or older than its sources. */
import { prepareOrExit } from './prepare.js';

prepareOrExit({ dev: true });
