import { BoardError } from '../board/errors.js';
import { pathOf, RedfishSession, type RedfishAccess, type Resource } from './session.js';

/** The power of one computer system of a Redfish service (DSP0268, ComputerSystem). */

/** What a system can be told, by the types of reset that do it, the best first. Each is sent once. */
const RESETS = {
  on: ['On', 'ForceOn'],
  off: ['ForceOff'],
  soft: ['GracefulShutdown'],
  reset: ['ForceRestart', 'PowerCycle'],
} as const;

export type SystemOrder = keyof typeof RESETS;

const STATES = { On: 'on', Off: 'off', PoweringOn: 'starting', PoweringOff: 'stopping', Paused: 'paused' } as const;

export type SystemPower = (typeof STATES)[keyof typeof STATES];

/** Systems of a service whose ids are told. */
const IDS_TOLD = 8;

export interface SystemCall {
  readonly password: string;
  readonly signal: AbortSignal;
}

const isObject = (value: unknown): value is Resource => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const idOf = (path: string): string => decodeURIComponent(path.replace(/\/$/, '').split('/').at(-1) ?? '');

export class RedfishSystem {
  readonly #session: RedfishSession;
  /** its id, where the service has several */
  readonly #id: string | undefined;
  #path: string | undefined;

  constructor(access: Omit<RedfishAccess, 'password'>, id: string | undefined) {
    this.#session = new RedfishSession(access);
    this.#id = id;
  }

  /** @throws BoardError, also where the service does not tell; the signal's reason */
  async power(call: SystemCall): Promise<SystemPower> {
    const { PowerState: state } = await this.#read(call);
    if (isText(state) && Object.hasOwn(STATES, state)) return STATES[state as keyof typeof STATES];
    throw new BoardError('silent', isText(state) ? `it says that the power is "${state}"` : 'it does not tell the power of its system');
  }

  /**
   * Gives an order, once. Resolves when the service has taken it on.
   * @throws BoardError: `lost` where it may have been carried out; each other fault where it was not
   */
  async order(order: SystemOrder, call: SystemCall & { readonly onSend: () => void }): Promise<void> {
    const { Actions: actions } = await this.#read(call);
    const action = isObject(actions) ? actions['#ComputerSystem.Reset'] : undefined;
    if (!isObject(action)) throw new BoardError('unsupported', 'its system cannot be switched');
    const target = pathOf(action.target, 'switch');
    const allowed = await this.#allowed(action, call);
    const type = RESETS[order].find((each) => allowed?.includes(each) ?? true);
    if (type === undefined) throw new BoardError('unsupported', `its system knows no ${RESETS[order][0]}, but ${allowed?.join(', ')}`);
    await this.#session.act(target, { ResetType: type }, call);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  async #read(call: SystemCall): Promise<Resource> {
    const path = this.#path ??= await this.#find(call);
    try {
      return await this.#session.get(path, call.password, call.signal);
    } catch (error) {
      // It may have another place now.
      if (error instanceof BoardError && error.fault === 'failed') this.#path = undefined;
      throw error;
    }
  }

  async #find({ password, signal }: SystemCall): Promise<string> {
    const collection = pathOf((await this.#session.root(signal)).Systems, 'list of systems');
    const { Members: members } = await this.#session.get(collection, password, signal);
    const paths = (Array.isArray(members) ? members : []).map((member: unknown) => pathOf(member, 'system'));
    const ids = paths.map(idOf);
    const told = ids.slice(0, IDS_TOLD).join(', ');
    if (this.#id !== undefined) {
      const found = paths[ids.indexOf(this.#id)];
      if (found === undefined) throw new BoardError('failed', `it has no system ${this.#id}, but ${told || 'none'}`);
      return found;
    }
    const [only] = paths;
    if (only === undefined) throw new BoardError('failed', 'it has no system');
    if (paths.length > 1) throw new BoardError('failed', `it has several systems: ${told}; name one by the key system`);
    return only;
  }

  /** @returns undefined where the service does not tell */
  async #allowed(action: Resource, { password, signal }: SystemCall): Promise<readonly string[] | undefined> {
    const listed = action['ResetType@Redfish.AllowableValues'];
    if (Array.isArray(listed)) return listed.filter(isText);
    const place = action['@Redfish.ActionInfo'];
    if (place === undefined) return undefined;
    const { Parameters: parameters } = await this.#session.get(pathOf(place, 'list of switches'), password, signal);
    const parameter = (Array.isArray(parameters) ? parameters : []).filter(isObject).find(({ Name: name }) => name === 'ResetType');
    return Array.isArray(parameter?.AllowableValues) ? parameter.AllowableValues.filter(isText) : undefined;
  }
}
