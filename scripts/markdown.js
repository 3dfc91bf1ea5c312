/** What several scripts do with the documents. */

/** A link or a picture on one line: its words, and where it leads. */
const LINK = /(!?)\[((?:`[^`]*`|\[[^\]]*\]|[^[\]])*)\]\(([^)\s]+)\)/g;

/** Runs a step on what is no code. @param {string} markdown @param {(text: string) => string} step */
export const outsideBlocks = (markdown, step) => markdown.split(/^(```[^]*?^```\n)/m).map((part, at) => (at % 2 === 0 ? step(part) : part)).join('');

/**
 * Puts something in the place of each link and picture.
 * @param {string} text without blocks of code
 * @param {(link: { whole: string, isPicture: boolean, words: string, target: string }) => string} step
 */
export const replaceLinks = (text, step) => text.replace(LINK, (whole, mark, words, target) => step({ whole, isPicture: mark === '!', words, target }));
