/** Telnet's bytes (RFC 854, 855), as far as either side of a connection needs them. */

export const Telnet = {
  IAC: 0xff, SE: 0xf0, SB: 0xfa, WILL: 0xfb, WONT: 0xfc, DO: 0xfd, DONT: 0xfe,
  /** the least code that is a command: EOF of RFC 1184; those of RFC 854 begin at 240 */
  FIRST_COMMAND: 0xec,
  /** options: RFC 857, 858 and 1073 */
  ECHO: 1, SUPPRESS_GO_AHEAD: 3, NAWS: 31,
} as const;

const { IAC, WILL, WONT, DO, DONT, ECHO, SUPPRESS_GO_AHEAD, NAWS } = Telnet;

/**
 * What turns a client's own line editing off where a console begins: each key is sent at once and echoed by the machine
 * alone, and the client tells the size of its window.
 */
export const TERMINAL_BEGINS = Buffer.from([IAC, WILL, ECHO, IAC, WILL, SUPPRESS_GO_AHEAD, IAC, DO, NAWS]);

/** What turns it on again; a program sees by its first three bytes that the console's own ones have ended. */
export const TERMINAL_ENDS = Buffer.from([IAC, WONT, ECHO, IAC, WONT, SUPPRESS_GO_AHEAD, IAC, DONT, NAWS]);

/** Bytes as telnet has them: 255 is doubled. */
export function escapeIac(bytes: Buffer): Buffer {
  if (!bytes.includes(IAC)) return bytes;
  const escaped = Buffer.allocUnsafe(bytes.length * 2);
  let length = 0;
  for (const byte of bytes) {
    escaped[length++] = byte;
    if (byte === IAC) escaped[length++] = IAC;
  }
  return escaped.subarray(0, length);
}
