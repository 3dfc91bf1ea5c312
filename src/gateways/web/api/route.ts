import * as v from 'valibot';
import type { Actor } from '../../../instances/actor.js';
import { ArgoError } from '../../../kit/errors.js';
import { issueWords } from '../../../kit/schema-words.js';
import { checkKeys, quotable } from '../../shared/json-keys.js';
import type { ApiRequest } from '../api.js';

/** One route below `/api`: from its row are made what is checked, what is answered, and what the document says. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/instances/{name}` */
  readonly path: string;
  readonly summary: string;
  /** what an account needs for it, in words */
  readonly right: string;
  readonly query: v.ObjectEntries;
  readonly body: v.GenericSchema | undefined;
  readonly status: number;
  readonly answer: v.GenericSchema;
  /** a line a JSON document, where it is asked for */
  readonly streams: boolean;
  run(asked: Asked): Promise<unknown>;
}

/** What was asked for, checked. */
interface Asked<Query = unknown, Body = unknown> {
  /** what stands in the path in place of `{…}`, in its order */
  readonly names: readonly string[];
  readonly query: Query;
  readonly body: Body;
  readonly actor: Actor;
  readonly signal: AbortSignal;
}

interface Row<Query extends v.ObjectEntries, Body, Answer extends v.GenericSchema> {
  readonly method: Route['method'];
  readonly path: string;
  readonly summary: string;
  readonly right: string;
  readonly query?: Query;
  readonly body?: v.GenericSchema<unknown, Body>;
  readonly status?: number;
  readonly answer: Answer;
  readonly streams?: boolean;
  run(asked: Asked<v.InferOutput<v.ObjectSchema<Query, undefined>>, Body>): Promise<v.InferInput<Answer> | AsyncIterable<v.InferInput<Answer>>>;
}

/** A row of the table, with the types of what it takes and answers. */
export const route = <Query extends v.ObjectEntries, Body, Answer extends v.GenericSchema>(row: Row<Query, Body, Answer>): Route => ({
  method: row.method, path: row.path, summary: row.summary, right: row.right, status: row.status ?? 200, answer: row.answer, streams: row.streams ?? false,
  query: row.query ?? {},
  body: row.body,
  run: (asked) => row.run(asked as Parameters<typeof row.run>[0]),
});

const refused = (what: string): ArgoError => new ArgoError('BAD REQUEST', what);

/** The first thing that is wrong, with where it is. */
function faultOf(issues: readonly v.BaseIssue<unknown>[], where: string): ArgoError {
  const [issue] = issues;
  const path = issue === undefined ? null : v.getDotPath(issue);
  return refused(`${path ?? where}: ${issue === undefined ? 'is wrong' : issueWords(issue)}`);
}

/** The parameters behind `?`. @throws ArgoError BAD REQUEST */
function queryOf({ query: entries }: Route, query: URLSearchParams): unknown {
  const given: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of query) {
    if (!Object.hasOwn(entries, name)) throw refused(`unknown parameter${quotable(name)}`);
    if (name in given) throw refused(`parameter ${name} is given twice`);
    given[name] = value;
  }
  const checked = v.safeParse(v.object(entries), given);
  if (!checked.success) throw faultOf(checked.issues, 'parameters');
  return checked.output;
}

/** @throws ArgoError BAD REQUEST; what reading the body throws */
async function bodyOf({ body: schema }: Route, request: ApiRequest): Promise<unknown> {
  if (schema === undefined) return undefined;
  const body = await request.json();
  checkKeys(body);
  const checked = v.safeParse(schema, body);
  if (!checked.success) throw faultOf(checked.issues, 'body');
  return checked.output;
}

/** Checks what was asked for and does it. @throws ArgoError; what reading the body throws */
export async function answerBy(route: Route, names: readonly string[], request: ApiRequest): Promise<unknown> {
  const query = queryOf(route, request.query);
  const body = await bodyOf(route, request);
  const { caller: { actor }, signal } = request;
  return route.run({ names, query, body, actor, signal });
}
