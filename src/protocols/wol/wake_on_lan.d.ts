/** What is used of wake_on_lan 1.0.0, which comes without types. */
declare module 'wake_on_lan' {
  interface WakeOnLan {
    /**
     * Six bytes FF and sixteen times the address.
     * @param mac twelve hexadecimal digits; other spellings are not all understood
     */
    createMagicPacket(mac: string): Buffer;
  }

  const wakeOnLan: WakeOnLan;
  export default wakeOnLan;
}
