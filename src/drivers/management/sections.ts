/** Several readings by one command: the output of each stands behind a line with its name. */

const SECTION = 'argo-section';

/** Outputs by name; undefined where the command was not run to there. */
export type Sections = Readonly<Record<string, string | undefined>>;

/** @param sources commands for a POSIX shell, by name. One that fails does not keep the others from being run. */
export const sectionsCommand = (sources: Readonly<Record<string, string>>): string =>
  Object.entries(sources).map(([name, command]) => `echo "${SECTION} ${name}"; { ${command}; } 2>/dev/null </dev/null`).join('; ') + '; :';

/** What stands before the first section was printed by a login shell, and is none of ours. */
export function splitSections(output: string): Sections {
  const sections: Record<string, string> = {};
  for (const part of `\n${output}`.split(`\n${SECTION} `).slice(1)) {
    const end = part.indexOf('\n');
    if (end > 0) sections[part.slice(0, end)] = part.slice(end + 1);
  }
  return sections;
}
