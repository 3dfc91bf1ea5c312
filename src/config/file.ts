import { CONFIG_FILE_SIZE } from '../kit/limits.js';
import { readRegularFile, UnreadableFile } from '../kit/regular-file.js';
import { ConfigError } from './document.js';

/**
 * The text of a configuration file.
 * @throws ConfigError where it cannot be read, and where it is no UTF-8: another letter would make another name or password
 */
export function readConfigFile(file: string): string {
  const content = contentOf(file);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    const lines = content.toString().split('\n');
    const line = lines.findIndex((one) => one.includes('\uFFFD'));
    throw new ConfigError(file, [{ message: 'this is no UTF-8', position: { line: line + 1, column: lines[line]!.indexOf('\uFFFD') + 1 } }]);
  }
}

function contentOf(file: string): Buffer {
  try {
    return readRegularFile(file, CONFIG_FILE_SIZE);
  } catch (error) {
    throw new ConfigError(file, [{ message: error instanceof UnreadableFile ? error.why : `cannot be read: ${(error as Error).message}` }]);
  }
}
