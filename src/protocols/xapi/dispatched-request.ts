import type { Dispatcher } from 'xen-api/transports/json-rpc.mjs';

interface Question {
  readonly dispatcher: Dispatcher;
  readonly method: string;
  readonly body: string;
  readonly headers: Record<string, string>;
}

/**
 * Stands for undici's `request` in what is bundled (scripts/bundle.js): undici is by far the largest part of what
 * xen-api's forms bring, and all that they use of it is to ask a dispatcher, which is ours.
 * @returns what they read of an answer: status, headers, and the body's text
 * @throws what the dispatcher tells its handler
 */
export function request(url: URL, { dispatcher, method, body, headers }: Question): Promise<object> {
  return new Promise((resolve, reject) => {
    const answer = { statusCode: 0, headers: {} as Record<string, string>, chunks: [] as Buffer[] };
    dispatcher.dispatch({ path: url.pathname, method, body, headers }, {
      onConnect: () => undefined,
      onHeaders: (status, rawHeaders) => {
        answer.statusCode = status;
        for (let at = 0; at < rawHeaders.length; at += 2) answer.headers[rawHeaders[at]!.toString('latin1')] = rawHeaders[at + 1]!.toString('latin1');
        return true;
      },
      onData: (chunk) => answer.chunks.push(chunk) > 0,
      onComplete: () => resolve({
        statusCode: answer.statusCode, headers: answer.headers, body: { text: () => Promise.resolve(Buffer.concat(answer.chunks).toString('utf8')) },
      }),
      onError: reject,
    });
  });
}
