import { existsSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A process of its own, which puts one thing into another's place over and over: a link where a folder was, a link where a file
 * was. Arguments: the root, the folder that links are to lead to, and a file that ends it when it is there.
 */
const [, , root = '', outside = '', end = ''] = process.argv;

const attempt = (work: () => void): void => {
  try {
    work();
  } catch {
    // whoever works in the root was faster
  }
};

while (!existsSync(end)) {
  for (let round = 0; round < 200; round += 1) {
    attempt(() => renameSync(join(root, 'dir'), join(root, 'dir.real')));
    attempt(() => symlinkSync(outside, join(root, 'dir')));
    attempt(() => unlinkSync(join(root, 'dir')));
    attempt(() => renameSync(join(root, 'dir.real'), join(root, 'dir')));
    attempt(() => renameSync(join(root, 'file'), join(root, 'file.real')));
    attempt(() => symlinkSync(join(outside, 'file'), join(root, 'file')));
    attempt(() => rmSync(join(root, 'file')));
    attempt(() => renameSync(join(root, 'file.real'), join(root, 'file')));
  }
}
