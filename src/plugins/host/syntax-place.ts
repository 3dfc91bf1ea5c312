import { execFile } from 'node:child_process';
import { PLUGIN_LOAD_TIMEOUT } from '../../kit/limits.js';

/**
 * In which line of a file Node finds a fault of its syntax. What fails to import does not say so, other than to a terminal:
 * another Node is asked, which reads the file and runs nothing.
 * @returns undefined where Node finds none, as where the fault is in a file that it imports, or does not say
 */
export function syntaxPlace(file: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--check', file], { timeout: PLUGIN_LOAD_TIMEOUT, killSignal: 'SIGKILL', env: {} }, (_, __, stderr) => {
      const line = /^.*:(\d+)$/m.exec(stderr)?.[1];
      resolve(line === undefined ? undefined : Number(line));
    }).on('error', () => undefined);
  });
}
