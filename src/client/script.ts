import { createInterface } from 'node:readline';
import { ArgoError } from '../kit/errors.js';
import { trimmed } from '../kit/text.js';
import { EXIT, type ExitCode, worse } from './outcome.js';
import { refuse } from './presenter.js';
import { type Request, requestFromLine } from './request.js';
import { runRequest } from './runner.js';
import type { Setting } from './setting.js';

/**
 * Carries out the commands of a script, one a line, on one connection; blank lines and those that
 * begin with `#` are skipped, `exit` ends it.
 * @returns the worst of the exit codes
 * @throws as {@link runRequest}
 */
export async function runScript(setting: Setting, input: NodeJS.ReadableStream, signal: AbortSignal): Promise<ExitCode> {
  let worst: ExitCode = EXIT.done;
  const lines = createInterface({ input, crlfDelay: Infinity, terminal: false });
  try {
    for await (const line of lines) {
      const meant = trimmed(line);
      if (meant === '' || meant.startsWith('#')) continue;
      const request = parsed(line);
      if (request instanceof ArgoError) {
        worst = worse(worst, await refuse(setting, line, request));
        continue;
      }
      if (request.command === 'exit' || request.command === 'quit') break;
      const unreachable = await connectError(setting, signal);
      // The next line would wait for the same server in vain.
      if (unreachable) return worse(worst, await refuse(setting, request.line, unreachable));
      worst = worse(worst, await runRequest(setting, request, signal));
    }
  } finally {
    lines.close();
  }
  return worst;
}

function parsed(line: string): Request | ArgoError {
  try {
    return requestFromLine(line);
  } catch (error) {
    if (error instanceof ArgoError) return error;
    throw error;
  }
}

async function connectError({ session }: Setting, signal: AbortSignal): Promise<ArgoError | undefined> {
  try {
    await session.connect(signal);
    return undefined;
  } catch (error) {
    if (error instanceof ArgoError && !signal.aborted) return error;
    throw error;
  }
}
