/** What somebody who mistyped a word may have meant. */

/** The word that differs least, where that is little: by letters left out, put in or changed. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const [best] = words.map((one) => ({ one, far: distance(word, one) })).sort((a, b) => a.far - b.far);
  return best && best.far <= Math.ceil(word.length / 3) ? best.one : undefined;
}

function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (const [at, letter] of [...from].entries()) {
    const next = [at + 1];
    for (let column = 1; column <= to.length; column += 1) {
      next.push(Math.min(next[column - 1]! + 1, row[column]! + 1, row[column - 1]! + (to[column - 1] === letter ? 0 : 1)));
    }
    row = next;
  }
  return row[to.length]!;
}
