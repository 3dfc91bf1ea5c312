/** Why state could not be kept or read. */
export class StateError extends Error {
  override readonly name = 'StateError';

  /**
   * @param reason `full`: a limit on the number is reached; `too large`: a key or text is longer than
   *   it may be; `unavailable`: the file cannot be written or read at this time
   */
  constructor(readonly reason: 'full' | 'too large' | 'unavailable', detail: string, options?: { cause?: unknown }) {
    super(`${reason}: ${detail}`, options);
  }
}
