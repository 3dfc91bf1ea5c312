import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { Webhook } from 'standardwebhooks';
import { until } from './until.js';

/** A CloudEvent, as far as tests look at it. */
export interface CloudEvent {
  readonly specversion: string;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  readonly time: string;
  readonly datacontenttype: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One request that came. */
export interface Delivery {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly event: CloudEvent;
  /** performance.now() */
  readonly at: number;
  /** what it was answered with; undefined where it was not */
  status: number | undefined;
}

/** How a request is answered: a status, or by hand. */
export type Answer = number | ((request: IncomingMessage, response: ServerResponse) => void);

/** A receiver of webhooks, as users write one with the library that others wrote. */
export interface Receiver {
  readonly url: string;
  readonly port: number;
  /** all that came, answered well or not */
  readonly deliveries: readonly Delivery[];
  /** connections that were made */
  readonly connections: () => number;
  /** how the next ones are answered, by their number from 0; 204 where it says nothing */
  answer: (index: number, delivery: Delivery) => Answer | undefined;
  /** those that were answered with 2xx, in order */
  accepted(): readonly CloudEvent[];
  /** Waits until so many were answered with 2xx. */
  has(count: number): Promise<readonly CloudEvent[]>;
  close(): Promise<void>;
}

/** For a busy machine. */
const WITHIN_MS = 60_000;

/** @param port 0 takes a free one */
export async function receive(t: Test, port = 0): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => { body += chunk; });
    request.on('end', () => {
      const event = JSON.parse(body) as CloudEvent;
      const delivery: Delivery = { method: request.method ?? '', path: request.url ?? '', headers: request.headers as Record<string, string>, body, event, at: performance.now(), status: undefined };
      deliveries.push(delivery);
      const answer = receiver.answer(deliveries.length - 1, delivery) ?? 204;
      response.once('finish', () => { delivery.status = response.statusCode; });
      if (typeof answer === 'number') response.writeHead(answer).end();
      else answer(request, response);
    });
  });
  server.on('connection', () => { connections += 1; });
  await new Promise<void>((resolve) => { server.listen(port, '127.0.0.1', resolve); });
  const close = (): Promise<void> => new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
  t.after(close);
  const accepted = (): CloudEvent[] => deliveries.filter(({ status = 0 }) => status >= 200 && status < 300).map(({ event }) => event);
  const own = (server.address() as AddressInfo).port;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${own}/hook?key=hush`, port: own, deliveries, connections: () => connections,
    answer: () => undefined,
    accepted,
    has: async (count) => {
      await until(() => accepted().length >= count, WITHIN_MS, `${count} events to be accepted`);
      return accepted();
    },
    close,
  };
  return receiver;
}

/** The event in a delivery, where the library takes it for authentic. @throws WebhookVerificationError */
export const verified = ({ body, headers }: Delivery, secret: string): CloudEvent =>
  new Webhook(secret).verify(body, headers as Record<string, string>) as CloudEvent;
