import type { Actor } from '../../instances/actor.js';
import type { Member } from '../contract.js';

/** Who asks: by the page's session, or by a token. */
export interface Caller {
  readonly member: Member;
  /** the account at work for this request; of a token with its narrower grants */
  readonly actor: Actor;
}

/** A request to what lies below `/api`, after it was let in: the session or the token is right, and it comes from our own page or from no page. */
export interface ApiRequest {
  readonly method: string;
  /** below `/api`, decoded a segment each: `['instances', 'kvm1/lj']` */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly caller: Caller;
  /** aborted when the client is gone, or the account */
  readonly signal: AbortSignal;
  /** The body as JSON. @throws HttpError 400, 413, 415 */
  json(): Promise<unknown>;
}

/** `stream`: a line a JSON document, for as long as there are some. */
export type ApiAnswer =
  | { readonly status: number; readonly json: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly status: 204 }
  | { readonly status: 200; readonly stream: AsyncIterable<unknown> };

/** What is behind `/api`, but for sessions and sockets, which belong to the door. */
export interface Api {
  /** @throws HttpError; ArgoError, which the door answers with the status of its phrase and a {@link Failure} */
  answer(request: ApiRequest): Promise<ApiAnswer>;
}
