import type { Test } from 'tap';
import { blocksOf, readDocument } from '../docs/markdown.js';
import { runProgram } from './programs.js';

/** Between what one command printed and the next: no program prints it. */
const END = '\x1e';

export interface SessionOptions {
  /** what stands in the document, and what it is here: ports, folders */
  readonly here: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
  /** where the shells begin */
  readonly cwd?: string;
}

interface Step {
  readonly command: string;
  readonly printed: string;
}

/** The commands of a block and what each prints, errors too. */
function stepsOf(text: string): Step[] {
  return text.split(/^\$ /m).slice(1).map((part) => {
    const [command = '', ...printed] = part.split('\n');
    return { command, printed: printed.join('\n') };
  });
}

/** Runs the blocks of a document that are marked `console run`, each in a shell of its own: what is printed must happen. */
export async function runSessions(t: Test, path: string, { here, env, cwd }: SessionOptions): Promise<void> {
  const translate = (text: string): string => Object.entries(here).reduce((found, [there, place]) => found.replaceAll(there, place), text);
  const blocks = blocksOf(readDocument(path)).filter(({ language, marks }) => language === 'console' && marks.includes('run'));
  t.ok(blocks.length > 0, `${path} has sessions`);
  for (const { text, line } of blocks) {
    const steps = stepsOf(translate(text));
    const script = ['exec 2>&1', ...steps.map(({ command }) => `${command}\nprintf '\\036'`)].join('\n');
    const { stdout } = await runProgram('sh', ['-c', script], { env, ...(cwd === undefined ? {} : { cwd }) });
    const printed = stdout.split(END);
    steps.forEach((step, index) => t.equal(printed[index], step.printed, `${path}:${line}: ${step.command}`));
  }
}
