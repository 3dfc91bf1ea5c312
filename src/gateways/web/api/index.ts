import type { Api, ApiAnswer, ApiRequest } from '../api.js';
import { nothingHere, wrongMethod } from '../refusals.js';
import { HISTORY_ROUTES } from './history.js';
import { MACHINE_ROUTES } from './machines.js';
import { openApiOf } from './openapi.js';
import { PLAN_ROUTES } from './plans.js';
import { POWER_ROUTES } from './power.js';
import { answerBy, route, type Route } from './route.js';
import { anything } from './shapes.js';
import { TASK_ROUTES } from './tasks.js';

export { eventRow } from './history.js';
export { orderRow, workRow } from './tasks.js';

/** The routes without the document that is made of them. */
const ROUTES: readonly Route[] = [...MACHINE_ROUTES, ...POWER_ROUTES, ...TASK_ROUTES, ...PLAN_ROUTES, ...HISTORY_ROUTES];

/** What a path is compared with: `undefined` stands for a name. */
interface Known {
  readonly parts: readonly (string | undefined)[];
  readonly methods: ReadonlyMap<string, Route>;
}

function knownOf(routes: readonly Route[]): readonly Known[] {
  const known = new Map<string, { parts: (string | undefined)[]; methods: Map<string, Route> }>();
  for (const one of routes) {
    const parts = one.path.slice(1).split('/').map((part) => (part.startsWith('{') ? undefined : part));
    const same = known.get(one.path) ?? { parts, methods: new Map<string, Route>() };
    known.set(one.path, same);
    same.methods.set(one.method, one);
  }
  return [...known.values()];
}

const fits = ({ parts }: Known, path: readonly string[]): boolean =>
  parts.length === path.length && parts.every((part, index) => (part === undefined ? path[index] !== '' : part === path[index]));

/** All routes, the document's own among them. @param version of the product */
export function routesOf(version: string): readonly Route[] {
  const routes: Route[] = [...ROUTES];
  const document = route({
    method: 'GET', path: '/openapi.json', summary: 'This description', right: 'none', answer: anything,
    run: () => Promise.resolve({ ...openApiOf(routes, version) }),
  });
  routes.push(document);
  return routes;
}

/** What is behind `/api`, for whoever was let in. @param version of the product */
export function openApi(version: string): Api {
  const known = knownOf(routesOf(version));
  return {
    answer: async (request: ApiRequest): Promise<ApiAnswer> => {
      const found = known.find((one) => fits(one, request.path));
      if (found === undefined) throw nothingHere();
      const row = found.methods.get(request.method);
      if (row === undefined) throw wrongMethod(...found.methods.keys());
      const answer = await answerBy(row, request.path.filter((_, index) => found.parts[index] === undefined), request);
      if (typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer) return { status: 200, stream: answer as AsyncIterable<unknown> };
      return { status: row.status, json: answer };
    },
  };
}
