import type { Keys } from './keys.js';
import type { Output } from './output.js';
import type { Session } from './session.js';

/** What a command is carried out with. */
export interface Setting {
  readonly session: Session;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly json: boolean;
  /** whether a status line may be drawn */
  readonly progress: boolean;
  /** what a console is typed into with; undefined where standard input is a script */
  readonly keys?: Keys;
}
