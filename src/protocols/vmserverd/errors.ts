/** What can go wrong when a server is asked, beside the way to it (protocols/tls/errors.ts) and what it says of an operation (codes.ts). */

/** It refuses the user or the password, or hands nobody over. Nothing was asked. */
export class AuthdRefusal extends Error {
  override readonly name = 'AuthdRefusal';

  /** @param isLogin whether it is the user or the password */
  constructor(words: string, readonly isLogin: boolean) {
    super(words);
  }
}

/** It would take the password in the clear, which is not wanted. Nothing was sent. */
export class PlainTextError extends Error {
  override readonly name = 'PlainTextError';
}

/** What answered does not keep to the protocol. */
export class VmserverdAnswerError extends Error {
  override readonly name = 'VmserverdAnswerError';

  /** @param sent whether it may have had the request */
  constructor(words: string, readonly sent: boolean) {
    super(words);
  }
}
