import { ArgoError } from '../../kit/errors.js';
import { onAbort } from '../../kit/within.js';
import type { Conversation, Target } from '../contract.js';
import { newId } from '../ids.js';
import { FLEET_VERSION, MessageFault, type AskMessage, type Asked } from '../messages.js';
import { askSubject } from '../subjects.js';
import { readValue, type AskedValues } from '../values.js';
import { errorOf, notSent, outOfReach } from './refusal.js';
import type { Sites, SitesTimes } from './sites.js';
import type { Talk, Told } from './talk.js';

export interface QuestionParts {
  readonly talk: Talk;
  readonly sites: Sites;
  times(): SitesTimes;
}

/** What is asked, and for whom. */
export interface What<Name extends Asked> {
  readonly target: Target;
  readonly name: Name;
  readonly principal: AskMessage['principal'];
  /** ends it: there is no other deadline */
  readonly signal: AbortSignal;
}

/**
 * Asks a site for what changes nothing, until it answers, cannot be ordered at any more, or the signal is aborted. It is asked again where
 * the connection was lost meanwhile.
 * @throws ArgoError; the signal's reason
 */
export async function ask<Name extends Asked>(parts: QuestionParts, what: What<Name>, more: Pick<AskMessage, 'order' | 'deadline'>): Promise<AskedValues[Name]> {
  what.signal.throwIfAborted();
  const { site } = what.target;
  const { trouble } = parts.sites.standing(site);
  if (trouble !== undefined) throw outOfReach(site, trouble);
  return new Promise((resolve, reject) => {
    const { talk } = parts;
    let conversation: Conversation | undefined;
    const over = (): void => {
      leave();
      forget();
      forgo();
      conversation?.end();
    };
    const fail = (error: Error): void => {
      over();
      reject(error);
    };
    const told = (said: Told): void => {
      parts.sites.answered(site, said.answer.incarnation);
      try {
        const value = valueOf(site, what.name, said);
        if (value === undefined) return;
        over();
        resolve(value.value);
      } catch (thrown) {
        fail(thrown as Error);
      }
    };
    const send = (): void => {
      conversation?.end();
      conversation = talk.send(letterOf(parts, what, more), told, (error) => fail(notSent(site, error)));
    };
    const leave = talk.bus.onChange(() => { if (talk.bus.trouble === undefined) send(); });
    const forgo = parts.sites.onTrouble(site, (why) => fail(outOfReach(site, why)));
    const forget = onAbort(what.signal, (reason) => fail(reason as Error));
    send();
  });
}

function letterOf<Name extends Asked>({ talk, times }: QuestionParts, { target, name, principal }: What<Name>, { order, deadline }: Pick<AskMessage, 'order' | 'deadline'>) {
  const at = Date.now();
  const message: AskMessage = {
    v: FLEET_VERSION, id: newId(at), ...target, ask: name, ...(order && { order }), ...(deadline !== undefined && { deadline }),
    principal, at, sendBy: at + times().sendTimeout,
  };
  return talk.letter(askSubject(target.site), message);
}

/** The value of an answer; undefined where it is under way still. @throws ArgoError */
function valueOf<Name extends Asked>(site: string, name: Name, { answer }: Told): { readonly value: AskedValues[Name] } | undefined {
  if (answer.state === 'running') return undefined;
  if (answer.state === 'failed') throw errorOf(site, answer);
  if (answer.state !== 'value') throw new ArgoError('FAILED', `site ${site} answers to a question as to an order`);
  try {
    return { value: readValue(name, answer.value) };
  } catch (thrown) {
    if (!(thrown instanceof MessageFault)) throw thrown;
    throw new ArgoError('FAILED', `site ${site} does not answer what was asked for`, { cause: thrown });
  }
}
