import { run } from './daemon/run.js';

/** The daemon's entry. */

/**
 * The options of a command line that only runs the server, as a service's does; undefined for any
 * other. It is read here so that a start does not pay for the library that reads all the others.
 */
function plainRun(words: readonly string[]): { config: string | undefined; listen: string | undefined } | undefined {
  const options = { config: undefined as string | undefined, listen: undefined as string | undefined };
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at]?.replace(/^--/, '');
    const value = words[at + 1];
    if ((name !== 'config' && name !== 'listen') || words[at] === name || value === undefined || value.startsWith('-')) return undefined;
    options[name] = value;
  }
  return options;
}

async function main(words: readonly string[]): Promise<void> {
  const options = plainRun(words);
  if (options) process.exitCode = await run(options);
  else await (await import('./daemon/command-line.js')).commandLine(words);
}

// It has no `await` of its own: what runs is CommonJS. A rejection ends the process, as it would otherwise.
void main(process.argv.slice(2));
