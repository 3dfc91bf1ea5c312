/** What came is not RFB, or RFB of a kind that is not spoken here. */
export class RfbError extends Error {
  override readonly name = 'RfbError';
}

/** The server refuses the password, or wants one that is not known. */
export class RfbAuthenticationError extends Error {
  override readonly name = 'RfbAuthenticationError';
}
