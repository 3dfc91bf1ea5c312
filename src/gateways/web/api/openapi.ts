import type * as v from 'valibot';
import { PHRASES } from '../../../kit/errors.js';
import { jsonSchemaOf, type JsonSchema } from './json-schema.js';
import type { Route } from './route.js';
import { failure, NAMED } from './shapes.js';

/** The description of the routes for other programs: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0). */

const schemaOf = (schema: v.GenericSchema, isWrittenOut = false): JsonSchema => jsonSchemaOf(schema, (one) => NAMED.get(one), isWrittenOut);

const json = (schema: v.GenericSchema): { content: Record<string, unknown> } => ({ content: { 'application/json': { schema: schemaOf(schema) } } });

function parametersOf({ path, query }: Route): object[] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  const others = Object.entries(query).map(([name, schema]) => ({ name, in: 'query', required: (schema as { type: string }).type !== 'optional', schema: schemaOf(schema as v.GenericSchema) }));
  return [...names, ...others];
}

function operationOf(route: Route): object {
  const { method, path, summary, right, body, status, answer, streams } = route;
  const content: Record<string, unknown> = json(answer).content;
  if (streams) content['application/x-ndjson'] = { schema: { type: 'string', description: 'With follow=true: an Event a line, and a Failure where it ends badly' } };
  return {
    summary, description: `Needs: ${right}.`, operationId: `${method.toLowerCase()}${path.replace(/[^a-z]+(\w)/gi, (_, letter: string) => letter.toUpperCase()).replace(/\W/g, '')}`,
    parameters: parametersOf(route),
    ...(body === undefined ? {} : { requestBody: { required: true, ...json(body) } }),
    responses: { [status]: { description: summary, content }, default: { $ref: '#/components/responses/Failure' } },
  };
}

/** @param version of the product */
export function openApiOf(routes: readonly Route[], version: string): JsonSchema {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'argo-server', version,
      description: `Power for every machine, behind the same grants and the same audit as the line protocol. Times are milliseconds since 1970 in UTC. The errors of a Failure: ${Object.keys(PHRASES).join(', ')}.`,
    },
    servers: [{ url: '/api' }],
    security: [{ token: [] }, { session: [] }],
    paths,
    components: {
      schemas: Object.fromEntries([...NAMED].map(([schema, name]) => [name, schemaOf(schema, true)])),
      responses: { Failure: { description: 'A phrase, and a detail for people', ...json(failure) } },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Made by `argo-server account token`' },
        session: { type: 'apiKey', in: 'cookie', name: 'argo', description: 'The page\'s session' },
      },
    },
  };
}
