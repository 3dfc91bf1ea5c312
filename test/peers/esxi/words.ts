/** The words of a command line as a POSIX shell would see them, or undefined where more than words are in it. */
export function shellWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at]!;
    if (character === "'") {
      const end = line.indexOf("'", at + 1);
      if (end < 0) return undefined;
      word = (word ?? '') + line.slice(at + 1, end);
      at = end;
    } else if (character === ' ') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (/[\w./:=,@%+-]/.test(character)) {
      word = (word ?? '') + character;
    } else {
      return undefined;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
