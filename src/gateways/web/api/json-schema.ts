import type * as v from 'valibot';

/** A valibot schema as JSON Schema 2020-12, as far as this folder's shapes go. */

export type JsonSchema = Readonly<Record<string, unknown>>;

/** What of valibot's objects is looked at: they are plain data. */
interface Node {
  readonly kind: 'schema' | 'validation' | 'transformation' | 'metadata';
  readonly type: string;
  readonly pipe?: readonly Node[];
  readonly entries?: Readonly<Record<string, v.GenericSchema>>;
  readonly options?: readonly unknown[];
  readonly item?: v.GenericSchema;
  readonly value?: v.GenericSchema;
  readonly wrapped?: v.GenericSchema;
  readonly requirement?: unknown;
  readonly description?: string;
  readonly default?: unknown;
}

/** How a named schema is referred to; undefined: it is written out. */
export type NameOf = (schema: v.GenericSchema) => string | undefined;

const LENGTHS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  min_length: { string: 'minLength', array: 'minItems' }, max_length: { string: 'maxLength', array: 'maxItems' },
};
const BOUNDS: Readonly<Record<string, string>> = { min_value: 'minimum', max_value: 'maximum' };

/** What goes in; what a transformation makes of it does not matter. */
function withPipe(base: JsonSchema, [, ...actions]: readonly Node[]): JsonSchema {
  const result: Record<string, unknown> = { ...base };
  let isChanged = false;
  for (const { kind, type, requirement, description } of actions) {
    isChanged ||= kind === 'transformation' || kind === 'schema';
    if (description !== undefined) result['description'] = description;
    if (isChanged) continue;
    const length = LENGTHS[type]?.[String(base['type'])];
    if (length !== undefined) result[length] = requirement;
    if (BOUNDS[type] !== undefined) result[BOUNDS[type]] = requirement;
    if (type === 'regex') result['pattern'] = (requirement as RegExp).source;
  }
  return result;
}

function objectOf(entries: Readonly<Record<string, v.GenericSchema>>, nameOf: NameOf): JsonSchema {
  const names = Object.keys(entries);
  return {
    type: 'object', additionalProperties: false,
    required: names.filter((name) => (entries[name] as unknown as Node).type !== 'optional'),
    properties: Object.fromEntries(names.map((name) => [name, jsonSchemaOf(entries[name]!, nameOf)])),
  };
}

function bare(node: Node, nameOf: NameOf): JsonSchema {
  const inner = (schema: v.GenericSchema): JsonSchema => jsonSchemaOf(schema, nameOf);
  switch (node.type) {
    case 'string': case 'number': case 'boolean': return { type: node.type };
    case 'unknown': return {};
    case 'picklist': return { enum: node.options };
    case 'array': return { type: 'array', items: inner(node.item!) };
    case 'record': return { type: 'object', additionalProperties: inner(node.value!) };
    case 'strict_object': return objectOf(node.entries!, nameOf);
    case 'union': return { anyOf: (node.options as v.GenericSchema[]).map(inner) };
    case 'nullable': return { anyOf: [inner(node.wrapped!), { type: 'null' }] };
    case 'optional': return { ...inner(node.wrapped!), ...(node.default === undefined ? {} : { default: node.default }) };
    default: throw new Error(`no JSON Schema is known for ${node.type}`);
  }
}

/** @throws Error for a kind of schema that is not known here */
export function jsonSchemaOf(schema: v.GenericSchema, nameOf: NameOf, isWrittenOut = false): JsonSchema {
  const name = isWrittenOut ? undefined : nameOf(schema);
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
  const node = schema as unknown as Node;
  const { pipe } = node;
  return pipe === undefined ? bare(node, nameOf) : withPipe(bare({ ...pipe[0]! }, nameOf), pipe);
}
