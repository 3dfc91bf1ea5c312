import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'tap';
import { Service } from '../../../../src/auth/service.js';
import type { ApiAnswer } from '../../../../src/gateways/web/api.js';
import { openApi, routesOf } from '../../../../src/gateways/web/api/index.js';
import { openApiOf } from '../../../../src/gateways/web/api/openapi.js';
import type { OrderRow, TaskRow } from '../../../../src/gateways/web/messages.js';
import type { Identity } from '../../../../src/instances/principal.js';
import { ArgoError } from '../../../../src/kit/errors.js';
import { ORDER_TEXT } from '../../../../src/kit/api-limits.js';
import { HttpError } from '../../../../src/listening/http.js';
import { State } from '../../../../src/store/state.js';
import { startCore, type Core } from '../../../server/core.js';

/** The API of a server in this process, asked as the door asks it; each answer is compared with what the document says of it. */

export const DOCUMENT = openApiOf(routesOf('1.2.3'), '1.2.3') as unknown as {
  readonly paths: Record<string, Record<string, { responses: Record<string, { content: Record<string, { schema: object }> }> }>>;
  readonly components: object;
};

type ValidateFunction = ((data: unknown) => boolean) & { readonly errors?: unknown };

/** Of the validator of documents, since it alone brings the one that knows JSON Schema 2020-12. */
const { default: Ajv2020 } = createRequire(import.meta.resolve('@seriousme/openapi-schema-validator'))('ajv/dist/2020.js') as {
  default: new (options: object) => { compile(schema: object): ValidateFunction };
};
const ajv = new Ajv2020({ strict: false });
const validators = new Map<string, ValidateFunction>();

/** What is wrong with an answer, by the document; undefined: nothing. */
function fault(method: string, path: string, status: number, json: unknown): string | undefined {
  const fits = (template: string): boolean => new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path);
  const template = Object.keys(DOCUMENT.paths).find((one) => one === path) ?? Object.keys(DOCUMENT.paths).find(fits);
  const schema = DOCUMENT.paths[template!]?.[method.toLowerCase()]?.responses[status]?.content['application/json']?.schema;
  if (schema === undefined) return `the document has no ${status} of ${method} ${path}`;
  const key = `${method} ${template} ${status}`;
  const validate = validators.get(key) ?? ajv.compile({ ...schema, components: DOCUMENT.components });
  validators.set(key, validate);
  return validate(JSON.parse(JSON.stringify(json))) ? undefined : JSON.stringify(validate.errors);
}

export interface Asking extends Core {
  /** Where its orders are written down, for a server after it. */
  readonly folder: string;
  /** @returns what comes as JSON, or the phrase or status of the refusal with its detail */
  call(account: string | Identity, method: string, path: string, body?: unknown): Promise<unknown>;
  answer(account: string | Identity, method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<ApiAnswer>;
  /** Waits until an order, or other work, has ended. */
  ended<Row extends TaskRow = OrderRow>(account: string | Identity, id: string): Promise<Row>;
}

export async function startApi(t: Test, { config, folder = mkdtempSync(join(tmpdir(), 'argo-api-')) }: { config?: string; folder?: string } = {}): Promise<Asking> {
  const state = new State(folder, () => undefined);
  t.teardown(async () => {
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const core = await startCore(t, { ...(config === undefined ? {} : { config }), tasks: state.tasks('orders', ORDER_TEXT), workTasks: state.tasks('works') });
  const api = openApi('1.2.3');
  const answer: Asking['answer'] = (account, method, path, body, signal = new AbortController().signal) => {
    const identity = typeof account === 'string' ? new Service(account, core.authenticator) : account;
    const actor = core.gate.actor({ identity, through: undefined, origin: '192.0.2.1:5 web' });
    const url = new URL(`http://x${path}`);
    return api.answer({
      method, path: url.pathname.slice(1).split('/').map(decodeURIComponent), query: url.searchParams, signal,
      caller: { member: { name: identity.name, signal, actor: () => actor, told: () => Promise.resolve(undefined), release: () => undefined }, actor },
      json: () => Promise.resolve(typeof body === 'string' ? JSON.parse(body) as unknown : body),
    });
  };
  const call: Asking['call'] = async (account, method, path, body) => {
    try {
      const answered = await answer(account, method, path, body);
      if (!('json' in answered)) throw new Error('no JSON');
      const wrong = fault(method, decodeURI(path).replace(/\?.*$/, ''), answered.status, answered.json);
      if (wrong !== undefined) t.fail(`${method} ${path}: ${wrong}`);
      return answered.json;
    } catch (error) {
      if (error instanceof ArgoError) return error.message;
      if (error instanceof HttpError) return error.status;
      throw error;
    }
  };
  const ended = async <Row extends TaskRow = OrderRow>(account: string | Identity, id: string): Promise<Row> => {
    for (let look = 0; look < 500; look += 1) {
      const task = await call(account, 'GET', `/tasks/${id}`) as Row;
      if (task.state !== 'running') return task;
      await pause(20);
    }
    throw new Error(`${id} has not ended`);
  };
  return { ...core, folder, answer, call, ended };
}
