import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { readSecretFile } from '../../config/secret.js';
import { newSeed, NkeySigner } from '../signer.js';

export interface OwnKey {
  readonly publicKey: string;
  readonly isNew: boolean;
}

/**
 * The key in a file. Where the file is not there it is made, with a new key, for its owner alone. One that is there is left as
 * it is: a site that has another key of a sudden is none that its fronts know.
 * @throws Error that names the file, never its content
 */
export function keyInFile(path: string): OwnKey {
  const seed = newSeed();
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx', 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw new Error(`${path} cannot be made: ${code === 'ENOENT' ? 'there is no such folder' : message}`, { cause: error });
    return { publicKey: publicKeyOf(path), isNew: false };
  }
  try {
    writeSync(descriptor, `${seed}\n`);
    fsyncSync(descriptor);
  } catch (error) {
    // half a key is no key, and would stand in the way of the next try
    rmSync(path, { force: true });
    throw new Error(`${path} cannot be written: ${(error as Error).message}`, { cause: error });
  } finally {
    closeSync(descriptor);
  }
  return { publicKey: new NkeySigner(seed).publicKey, isNew: true };
}

function publicKeyOf(path: string): string {
  const seed = readSecretFile(path);
  try {
    return new NkeySigner(seed.reveal()).publicKey;
  } catch (error) {
    throw new Error(`${path} is there, and holds something else: ${(error as Error).message}`, { cause: error });
  }
}
