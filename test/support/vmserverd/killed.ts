import { FilesWorld } from './files-world.js';
import { State } from '../../../src/store/state.js';

/** A server that will be killed while it copies. Arguments: its state folder, the root, and what is copied to what, as paths. */
const [, , stateDir = '', root = '', source = '', target = ''] = process.argv;

const world = new FilesWorld(new State(stateDir, () => undefined), [stateDir]);
await world.tasks.load();
await world.roots({ path: root, read: ['kim'], write: ['kim'] });
process.stdout.write(await world.call('kim', 'FileManager_FileCopy', { files: { file: { source, target } } }));
setInterval(() => undefined, 1000);
