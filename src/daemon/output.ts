/**
 * What is printed for whoever started the program; the log is something else. Standard output is touched
 * by nothing else: Node makes its stream when it is asked for it, which a start need not pay for.
 */

/** A reader who has seen enough, such as `head`, is no error: has the program end well then. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
}
