/**
 * What is used of net-ping 1.2.4 and of the raw-socket 1.8.1 below it, neither of which comes with
 * types. Only the opening of the socket is net-ping's here; see socket.ts for why.
 */
declare module 'net-ping' {
  /** raw-socket's native object: sendto(2) and recvfrom(2) on a non-blocking socket, without a queue. */
  interface NativeSocket {
    /** @throws Error whose message is strerror(3) of what sendto said; there is no code */
    send(packet: Uint8Array, offset: number, length: number, address: string, sent: (bytes: number) => void): void;
    /** Calls back before it returns. @throws Error as for send; also when nothing is there to be read */
    recv(buffer: Uint8Array, received: (buffer: Uint8Array, bytes: number, source: string) => void): void;
    on(event: 'recvReady', listener: () => void): void;
    removeAllListeners(event: 'recvReady' | 'sendReady'): void;
  }

  export interface RawSocket {
    readonly wrap: NativeSocket;
    on(event: 'error', listener: (error: Error) => void): void;
    /** setsockopt(2) with a number of 32 bits, or with bytes of a length. @throws Error as for send */
    setOption(level: number, option: number, value: number): void;
    setOption(level: number, option: number, value: Uint8Array, length: number): void;
    pauseRecv(): void;
    resumeRecv(): void;
  }

  export interface Session {
    getSocket(): RawSocket;
    on(event: 'error', listener: (error: Error) => void): void;
    close(): void;
  }

  interface NetPing {
    readonly NetworkProtocol: { readonly IPv4: 1; readonly IPv6: 2 };
    /** Opens the socket at once. @throws Error whose message is strerror(3) of what socket(2) said */
    createSession(options: { networkProtocol: 1 | 2 }): Session;
  }

  const netPing: NetPing;
  export default netPing;
}
