import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Module } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

/**
 * What V8 makes of a file's code before it runs it, kept beside the file: to read half a megabyte of code
 * anew would be a seventh of a start. The build makes it (scripts/keep-start.js), where it makes the code; a server at
 * work writes nothing, and runs nothing that others could write. It is a matter of speed alone: where it is
 * absent, damaged or of another Node, the code is read as ever.
 */

/** V8 itself looks only whether its version and its flags are the same, and ends the process over what is damaged. */
const MADE_BY = JSON.stringify([process.platform, process.arch, process.versions]);
/** Bytes of SHA-256, which come first. V8 wants what it takes at an address that 8 divides. */
const DIGEST_LENGTH = 32;

const keptIn = (file: string): string => `${file}.kept`;

const digest = (code: Buffer, kept: Buffer): Buffer => createHash('sha256').update(MADE_BY).update(code).update(kept).digest();

/** A byte is a character: the build sees to it that there are no others, but in comments. */
const compile = (file: string, code: Buffer, kept?: Buffer): Script => new Script(Module.wrap(code.toString('latin1')), { filename: file, ...(kept && { cachedData: kept }) });

/** @returns undefined where there is nothing for this code and this Node */
function readKept(file: string, code: Buffer): Buffer | undefined {
  try {
    const all = readFileSync(keptIn(file));
    const kept = all.subarray(DIGEST_LENGTH);
    return digest(code, kept).equals(all.subarray(0, DIGEST_LENGTH)) ? kept : undefined;
  } catch {
    return undefined;
  }
}

/**
 * For the build.
 * @param file CommonJS that imports nothing by `import()`, as a full path
 * @param script what it was compiled to; where that has run, it knows the functions that ran, too
 */
export function keepCode(file: string, script?: Script): void {
  const code = readFileSync(file);
  const kept = (script ?? compile(file, code)).createCachedData();
  writeFileSync(keptIn(file), Buffer.concat([digest(code, kept), kept]));
}

/**
 * Runs a file as the code of a module that stands beside it.
 * @param file CommonJS, as a full path
 * @returns whether V8 took what was kept
 */
export function runKept(module: NodeJS.Module, require: NodeJS.Require, file: string): boolean {
  const code = readFileSync(file);
  const kept = readKept(file, code);
  if (kept === undefined) {
    // as any other: later versions of Node have a cache of their own (bin/argo-server.js)
    module.exports = require(file);
    return false;
  }
  const script = compile(file, code, kept);
  const run = script.runInThisContext() as (...parts: readonly unknown[]) => void;
  run.call(module.exports, module.exports, require, module, file, dirname(file));
  return script.cachedDataRejected === false;
}
