/**
 * Keys by which a text is typed. A virtual machine is told which key is pressed and makes the character of it by its own
 * layout, so a text can be typed into it for one layout alone: the one that systems come with.
 */
export interface Press {
  /** X11's number for what the key means (X11/keysymdef.h) */
  readonly keysym: number;
  /** where the key is, as `KeyboardEvent.code` has it; undefined where no key of this layout makes the character */
  readonly code: string | undefined;
  readonly shift: boolean;
}

/** Each key with what it makes alone and with Shift; of letters, only that. */
const KEYS: readonly (readonly [code: string, makes: string])[] = [
  ['Backquote', '`~'], ...'1!2@3#4$5%6^7&8*9(0)'.match(/../g)!.map((pair) => [`Digit${pair[0]!}`, pair] as const), ['Minus', '-_'], ['Equal', '=+'],
  ['BracketLeft', '[{'], ['BracketRight', ']}'], ['Backslash', '\\|'], ['Semicolon', ';:'], ['Quote', '\'"'], ['Comma', ',<'], ['Period', '.>'], ['Slash', '/?'], ['Space', ' '],
  ...[...'abcdefghijklmnopqrstuvwxyz'].map((letter) => [`Key${letter.toUpperCase()}`, letter + letter.toUpperCase()] as const),
];

const PRESSES: ReadonlyMap<string, Press> = new Map<string, Press>([
  ...KEYS.flatMap(([code, makes]) => [...makes].map((character, at) => [character, { keysym: character.codePointAt(0)!, code, shift: at === 1 }] as const)),
  ['\n', { keysym: 0xff0d, code: 'Enter', shift: false }], ['\t', { keysym: 0xff09, code: 'Tab', shift: false }],
]);

/** Latin-1 stands for itself; all else is 0x01000000 and its number in Unicode. */
const keysymOf = (point: number): number => (point < 0x100 ? point : 0x0100_0000 + point);

/** @param text lines may end in any way; other control characters are left out */
export function pressesOf(text: string): readonly Press[] {
  return [...text.replace(/\r\n?/g, '\n').replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')]
    .map((character) => PRESSES.get(character) ?? { keysym: keysymOf(character.codePointAt(0)!), code: undefined, shift: false });
}

/** The characters that no key of the layout makes, each once. */
export const unknownTo = (text: string): string => [...new Set(text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ''))].filter((character) => !PRESSES.has(character)).join('');
