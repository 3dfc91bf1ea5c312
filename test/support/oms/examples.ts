import { blocksOf } from '../../docs/markdown.js';

/** A call that docs/gateways/oms.md prints, and its answer: the result, or `{"error": …}`. */
export interface Example {
  readonly method: string;
  /** as JSON */
  readonly params: string;
  /** as JSON */
  readonly answer: string;
}

/** The examples of a part of the document, in their order. @param marks behind the language of their block */
export function examplesIn(part: string, marks: readonly string[]): Example[] {
  const lines = blocksOf(part).filter((block) => block.language === 'oms' && block.marks.join(' ') === marks.join(' ')).flatMap(({ text }) => text.trimEnd().split('\n'));
  return lines.flatMap((line, at) => {
    const [, method, params] = /^> (\w+) (\[.*\])$/.exec(line) ?? [];
    return method === undefined || params === undefined ? [] : [{ method, params, answer: lines[at + 1] ?? '' }];
  });
}
