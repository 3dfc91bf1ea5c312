import { createServer, type Server, type Socket } from 'node:net';

/** A power strip as docs/drivers.md describes it, with bad days. */
export class FakeStrip {
  /** what happens to orders: carried out and answered, carried out and cut off, dropped, never answered */
  mood: 'good' | 'cuts' | 'drops' | 'hangs' = 'good';
  readonly outlets = [
    { label: 'lj', isOn: true },
    { label: 'builder', isOn: false },
    { label: 'no plug', isOn: false },
  ];

  readonly sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #password: string;

  constructor(password: string) {
    this.#password = password;
    this.#server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket)).on('error', () => socket.destroy());
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const [login = '', order = '', rest] = text.split('\n');
        if (rest === undefined) return;
        const answer = login === `login ${this.#password}` ? this.#answer(order) : 'denied\n';
        if (answer !== undefined) socket.end(answer);
      });
    });
  }

  /** @returns its port */
  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  }

  close(): void {
    this.#server.close();
    this.sockets.forEach((socket) => socket.destroy());
  }

  /** undefined: it says nothing more */
  #answer(order: string): string | undefined {
    const [word = '', number] = order.split(' ');
    if (word === 'outlets') return `${this.outlets.map(({ label, isOn }, index) => `${index + 1} ${isOn ? 'on' : 'off'} ${label}\n`).join('')}ok\n`;
    const outlet = this.outlets[Number(number) - 1];
    if (outlet === undefined) return `error there is no outlet ${number}\n`;
    if (outlet.label === 'no plug') return `error outlet ${number} has no fuse\n`;
    if (this.mood === 'hangs') return undefined;
    if (this.mood !== 'drops') outlet.isOn = word === 'on';
    return this.mood === 'good' ? 'ok\n' : 'o';
  }
}
