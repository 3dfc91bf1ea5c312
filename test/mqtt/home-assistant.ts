/**
 * What Home Assistant takes as discovery, by its documents (https://www.home-assistant.io/integrations/mqtt/ and the
 * pages of the components) and its own schemas: which keys, which of them must be there, and what they may hold. It
 * passes over keys that it does not know, so that a mistyped one would be of no effect, and nobody would be told.
 */

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string' && value !== '';
const flag: Check = (value) => typeof value === 'boolean';
const texts: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(text) && new Set(value).size === value.length;
const oneOf = (...values: readonly unknown[]): Check => (value) => values.includes(value);
/** Topics that are subscribed to may not be longer than MQTT has it, nor hold control characters. */
const topic: Check = (value) => text(value) && Buffer.byteLength(value as string) <= 65_535 && !/[\u0000-\u001f\u007f-\u009f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]/u.test(value as string);
/** One that is written to has no patterns, too; nor has any of ours that is read. */
const plainTopic: Check = (value) => topic(value) && !/[+#]/.test(value as string);
const icon: Check = (value) => text(value) && /^mdi:[a-z0-9-]+$/.test(value as string);
const template: Check = (value) => text(value) && /^\{\{.*\}\}$/.test(value as string);

interface Shape {
  readonly required: Readonly<Record<string, Check>>;
  readonly optional: Readonly<Record<string, Check>>;
}

const table = ({ required, optional }: Shape): Check => (value) => faultsIn(value, { required, optional }).length === 0;

const DEVICE: Shape = {
  required: { identifiers: texts },
  optional: {
    configuration_url: text,
    connections: Array.isArray,
    hw_version: text,
    manufacturer: text,
    model: text,
    model_id: text,
    name: text,
    serial_number: text,
    suggested_area: text,
    sw_version: text,
    via_device: text,
  },
};
const ORIGIN: Shape = { required: { name: text }, optional: { sw_version: text, support_url: text } };
const AVAILABILITY: Shape = { required: { topic: plainTopic }, optional: { payload_available: text, payload_not_available: text, value_template: template } };

/** Of each entity. Without a unique id and a device it belongs to none, and cannot be changed by its owner. */
const COMMON: Shape = {
  required: { unique_id: text, device: table(DEVICE), origin: table(ORIGIN), name: (value) => value === null || text(value) },
  optional: {
    availability: (value) => Array.isArray(value) && value.length > 0 && value.every(table(AVAILABILITY)),
    availability_mode: oneOf('all', 'any', 'latest'),
    enabled_by_default: flag,
    encoding: text,
    entity_picture: text,
    icon,
    json_attributes_topic: plainTopic,
    json_attributes_template: template,
    default_entity_id: text,
    qos: oneOf(0, 1, 2),
  },
};

const state = { state_topic: plainTopic };
const command = { command_topic: plainTopic };
/** Settings are for what is written to; what is only read is a finding. */
const written = { entity_category: oneOf('config', 'diagnostic'), command_template: template, retain: oneOf(false) };
const read = { entity_category: oneOf('diagnostic'), expire_after: Number.isInteger, force_update: flag, value_template: template };

const COMPONENTS: Readonly<Record<string, Shape>> = {
  switch: {
    required: { ...command, ...state },
    optional: { ...written, device_class: oneOf('outlet', 'switch'), optimistic: oneOf(false), payload_on: text, payload_off: text, state_on: text, state_off: text, value_template: template },
  },
  binary_sensor: { required: state, optional: { ...read, device_class: oneOf('connectivity', 'power', 'problem', 'running'), off_delay: Number.isInteger, payload_on: text, payload_off: text } },
  sensor: { required: state, optional: { ...read, device_class: oneOf('enum'), options: texts, suggested_display_precision: Number.isInteger, last_reset_value_template: template } },
  button: { required: command, optional: { ...written, device_class: oneOf('identify', 'restart', 'update'), payload_press: text } },
};

function faultsIn(value: unknown, { required, optional }: Shape): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ['no table'];
  const known: Readonly<Record<string, Check>> = { ...required, ...optional };
  const given = Object.entries(value);
  return [
    ...Object.keys(required).filter((key) => !(key in value)).map((key) => `${key} is missing`),
    ...given.flatMap(([key, one]) => (!Object.hasOwn(known, key) ? [`${key} is unknown`] : known[key]!(one) ? [] : [`${key} = ${JSON.stringify(one)}`])),
  ];
}

const TOPIC = /^homeassistant\/(\w+)\/(?:[a-zA-Z0-9_-]+\/)?[a-zA-Z0-9_-]+\/config$/;

/** What is wrong with a message of discovery, a line each. */
export function discoveryFaults(at: string, payload: string): string[] {
  const [, component = ''] = TOPIC.exec(at) ?? [];
  const shape = Object.hasOwn(COMPONENTS, component) ? COMPONENTS[component] : undefined;
  if (shape === undefined) return [`nothing is looked for at ${at}`];
  const config = JSON.parse(payload) as Record<string, unknown>;
  const faults = faultsIn(config, { required: { ...COMMON.required, ...shape.required }, optional: { ...COMMON.optional, ...shape.optional } });
  // "enum" is what has options, and the other way round
  if ((config.device_class === 'enum') !== (config.options !== undefined)) faults.push('options go with the class enum');
  return faults.map((fault) => `${at}: ${fault}`);
}
