/** Tags as they are typed. They hold nothing that would have to be escaped anywhere. */

/** What stands before a tag where a name is expected: `@tag:web`, and `@tag:"rack 7"` for one with blanks. */
export const TAG_PREFIX = '@tag:';

/** A blank at its end would not be seen. */
const TAG = /^(?! )[\w .+-]{1,64}(?<! )$/;

/** Whether a text can be a tag. */
export const isTag = (text: string): boolean => TAG.test(text);

/** What can be a tag, for people. */
export const TAG_RULE = 'a-z, A-Z, 0-9, blanks within and _ . + - can be, up to 64 of them';

/** Whether a word stands for what bears a tag. */
export const isTagWord = (word: string): boolean => word.startsWith(TAG_PREFIX);

/** A word of a line that names a tag in quotes: the whole is no literal name, as a word that begins with a quote is. */
export const QUOTED_TAG = /^@tag:"([^"\\]*)"(?=[ \t]|$)/;

/** A tag as the word of a line that stands for what bears it. */
export const tagWord = (tag: string): string => `${TAG_PREFIX}${tag.includes(' ') ? `"${tag}"` : tag}`;
