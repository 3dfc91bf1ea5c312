import type { DataParts } from '../../../src/protocols/zabbix/conversation.js';

/**
 * Every message of "Server-proxy data exchange protocol" for 5.4, as its text prints it. The text is no JSON in four
 * places, which are mended here: a comma is missing after the session of the passive data; one result of a task there has
 * no type, and the other no status; a list of tasks is not closed in the active answer; and `tasks` stands twice in the
 * active data, first with what the server orders, which a proxy never says. One row of registration there has no host.
 * Three messages have no text at all: the configuration, in both modes, and what a server says to a passive proxy's data.
 */

export const PROXY = { name: 'Proxy #12', version: '5.4.0' };
export const SESSION = '12345678901234567890123456789012';
export const KNOWN = { session: SESSION, revision: 0 };

const AVAILABILITY = [
  { interfaceid: 1, available: 1, error: '' },
  { interfaceid: 2, available: 2, error: 'Get value from agent failed: cannot connect to [[127.0.0.1]:10049]: [111] Connection refused' },
  { interfaceid: 3, available: 1, error: '' },
  { interfaceid: 4, available: 1, error: '' },
] as const;
const HISTORY = [
  { itemid: '12345', clock: 1478609647, ns: 332510044, value: '52956612', id: 1 },
  { itemid: '12346', clock: 1478609647, ns: 330690279, state: 1, value: 'Cannot find information for this network interface in /proc/net/dev.', id: 2 },
];
export const DISCOVERY = [
  { clock: 1478608764, drule: 2, dcheck: 3, type: 12, ip: '10.3.0.10', dns: 'vdebian', status: 1 },
  { clock: 1478608764, drule: 2, dcheck: null, type: -1, ip: '10.3.0.10', dns: 'vdebian', status: 1 },
] as const;
const REGISTRATION = [
  { clock: 1478608371, host: 'Logger1', ip: '10.3.0.1', dns: 'localhost', port: '10050' },
  { clock: 1478608381, host: 'Logger2', ip: '10.3.0.2', dns: 'localhost', port: '10050' },
];
const RESULTS = [
  { type: 0, clock: 1478608372, status: 0, info: 'web1 is off', parent_taskid: 10 },
  { type: 0, clock: 1478608382, status: -1, info: 'No permissions to execute task.', parent_taskid: 20 },
] as const;
const RESULTS_PRINTED = [
  { type: 0, status: 0, parent_taskid: 10 },
  { type: 0, status: 1, error: 'No permissions to execute task.', parent_taskid: 20 },
];
export const PARTS: DataParts = {
  session: SESSION,
  availability: AVAILABILITY,
  history: HISTORY.map((row) => JSON.stringify(row)),
  discovery: DISCOVERY,
  registration: REGISTRATION,
  results: RESULTS,
  clock: 1478609650,
  ns: 5,
};
export const DATA_PRINTED = {
  session: SESSION, 'interface availability': AVAILABILITY, 'history data': HISTORY, 'discovery data': DISCOVERY, 'auto registration': REGISTRATION, tasks: RESULTS_PRINTED, version: '5.4.0',
};
/** Two more members that servers of 5.4 know too; the text leaves them out. */
export const TIMES = { clock: 1478609650, ns: 5 };

const KEYS = { publickey: 'MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCqGKukO1De7zhZj6+H0qtjTkVxwTCpvKe', privatekey: 'lsuusFncCzWBQ7RKNUSesmQRMSGkVb1/3j+skZ6UtW+5u09lHNsj6tQ5QCqGKukO1De7zhd' };
export const TASKS_PRINTED = {
  response: 'success',
  tasks: [
    { type: 1, clock: 1478608371, ttl: 600, commandtype: 2, command: 'restart_service1.sh', execute_on: 2, port: 80, authtype: 0, username: 'userA', password: 'password1', ...KEYS, parent_taskid: 10, hostid: 10070 },
    { type: 1, clock: 1478608381, ttl: 600, commandtype: 1, command: 'restart_service2.sh', execute_on: 0, authtype: 0, username: '', password: '', publickey: '', privatekey: '', parent_taskid: 20, hostid: 10084 },
  ],
};

/** Hosts and items as whole configurations have them; the text has none. */
export const TABLES = { hosts: { fields: ['hostid', 'host', 'status', 'name'], data: [[10084, 'web1', 0, 'web1']] } };

/** One message. */
interface Printed {
  readonly mode: 'active' | 'passive';
  readonly from: 'proxy' | 'server';
  readonly what: string;
  readonly message: object;
}

/** All of them, in their order. */
export const PRINTED: readonly Printed[] = [
  { mode: 'passive', from: 'server', what: 'configuration', message: { request: 'proxy config', data: TABLES } },
  { mode: 'passive', from: 'proxy', what: 'that it has the configuration', message: { response: 'success', version: '5.4.0' } },
  { mode: 'passive', from: 'server', what: 'question for data', message: { request: 'proxy data' } },
  { mode: 'passive', from: 'proxy', what: 'data', message: { ...DATA_PRINTED, ...TIMES } },
  { mode: 'passive', from: 'server', what: 'that it has the data', message: { response: 'success' } },
  { mode: 'active', from: 'proxy', what: 'heartbeat', message: { request: 'proxy heartbeat', host: 'Proxy #12', version: '5.4.0' } },
  { mode: 'active', from: 'server', what: 'that it has heard it', message: { response: 'success' } },
  { mode: 'active', from: 'proxy', what: 'question for the configuration', message: { request: 'proxy config', host: 'Proxy #12', version: '5.4.0' } },
  { mode: 'active', from: 'server', what: 'configuration', message: TABLES },
  { mode: 'active', from: 'proxy', what: 'that it has the configuration', message: { response: 'success' } },
  { mode: 'active', from: 'proxy', what: 'data', message: { request: 'proxy data', host: 'Proxy #12', ...DATA_PRINTED, ...TIMES } },
  { mode: 'active', from: 'server', what: 'that it has the data, and tasks', message: TASKS_PRINTED },
];
