/** What the other side sends is not NTLM as we take it, or was altered on the way. */
export class NtlmError extends Error {
  override readonly name = 'NtlmError';
}
