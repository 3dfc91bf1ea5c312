/** What a connection's errors mean to people, by their codes, where all programs say the same of them. */
export const NETWORK_WORDS = {
  ECONNREFUSED: 'nobody listens there', EHOSTUNREACH: 'there is no way to it', ENETUNREACH: 'there is no way to it',
  ENOTFOUND: 'there is no such host', EAI_AGAIN: 'its name cannot be looked up',
} as const;
