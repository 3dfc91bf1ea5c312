import { TAKES_IT_OVER } from '../../kit/errors.js';
import { RequestError } from '../io/http.js';

/** Why a console is not open, in words for whoever looks at it. */
export interface End {
  readonly title: string;
  /** what the server says of it; may be empty */
  readonly text: string;
  /** what helps, beside trying again: to log in, or to take it from whoever has it */
  readonly help?: 'login' | 'take';
}

/** RFC 6455, 7.4.1; 1006 is what a browser says where no closing frame came. */
const Code = { NORMAL: 1000, GOING_AWAY: 1001, NO_STATUS: 1005, LOST: 1006 } as const;

/** A reason as the server has it: `BUSY: kim has had it open since …`. */
function endOfReason(reason: string): End {
  if (reason.endsWith(TAKES_IT_OVER)) return { title: 'Somebody else has it.', text: reason.slice(0, -TAKES_IT_OVER.length), help: 'take' };
  return { title: 'The console was closed.', text: reason };
}

/**
 * @param code of the closing frame
 * @param reason what stands in it
 * @param wasOpen whether anything was there before
 */
export function endOfSocket(code: number, reason: string, wasOpen: boolean): End {
  if (code === Code.LOST) {
    return wasOpen ? { title: 'The connection was lost.', text: 'What is shown may have changed since.' }
      : { title: 'There is no connection.', text: 'The server could not be reached, or has refused it.' };
  }
  if (code === Code.GOING_AWAY) return { title: 'The server is shutting down.', text: '' };
  if (reason === '' && (code === Code.NORMAL || code === Code.NO_STATUS)) return { title: 'The console has ended.', text: '' };
  return endOfReason(reason);
}

/** What went wrong before there was anything to show. */
export function endOfError(error: unknown): End {
  if (!(error instanceof RequestError)) return { title: 'A part of this page could not be loaded.', text: 'Load the page again.' };
  const { status, failure: { error: phrase, detail } } = error;
  if (status === 0) return { title: 'There is no connection.', text: 'The server could not be reached.' };
  if (status === 401) return { title: 'You are not logged in.', text: '', help: 'login' };
  return { title: 'It could not be opened.', text: detail === '' ? phrase : `${phrase}: ${detail}` };
}

export const NOT_SHOWN: End = { title: 'It was closed by this page.', text: 'What the machine sends can not be shown here.' };
