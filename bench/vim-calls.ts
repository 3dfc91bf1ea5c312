import { readProperties } from '../src/protocols/vim/properties.js';
import { VimSession } from '../src/protocols/vim/session.js';
import { followTask } from '../src/protocols/vim/tasks.js';
import { isRef, listOf, type Ref } from '../src/protocols/vim/value.js';
import { PASSWORD, USER, type Vcsim } from '../test/peers/vcsim.js';

/** The machine of vcsim that is switched. */
export const VM = 'DC0_H0_VM0';
/** Longest answers, and everything that is waited for in them, ms. */
const PATIENCE = 60_000;

const soon = (): AbortSignal => AbortSignal.timeout(PATIENCE);

/** The calls that a stop and a start are made of, with a session that is kept: look, order, follow. */
export class RawCalls {
  readonly #session: VimSession;
  #vm: Ref | undefined;

  constructor({ url }: Vcsim) {
    this.#session = new VimSession({ url: new URL(url), trust: () => ({ kind: 'anyone' }), credentials: () => ({ user: USER, password: PASSWORD }) });
  }

  async find(): Promise<void> {
    const { service } = await this.#session.login(soon());
    const view = await this.#session.call('CreateContainerView', service.viewManager, { container: service.rootFolder, type: ['VirtualMachine'], recursive: true }, soon());
    if (!isRef(view)) throw new Error('vcsim makes no view');
    const members = await readProperties(this.#session, [{ ref: view, paths: ['view'] }], soon());
    for (const ref of listOf(members.get(view.value)?.get('view')).filter(isRef)) {
      const read = await readProperties(this.#session, [{ ref, paths: ['name'] }], soon());
      if (read.get(ref.value)?.get('name') === VM) this.#vm = ref;
      if (this.#vm) return;
    }
  }

  async stopAndStart(): Promise<void> {
    const vm = this.#vm ?? { type: 'VirtualMachine', value: '' };
    for (const isOn of [false, true]) {
      const look = (): Promise<unknown> => readProperties(this.#session, [{ ref: vm, paths: ['runtime.powerState', 'runtime.connectionState'] }], soon());
      await look();
      await this.power(isOn);
      await look();
    }
  }

  async power(isOn: boolean): Promise<void> {
    const vm = this.#vm ?? { type: 'VirtualMachine', value: '' };
    const task = await this.#session.call(isOn ? 'PowerOnVM_Task' : 'PowerOffVM_Task', vm, {}, soon());
    if (isRef(task)) await followTask(this.#session, task, soon());
  }

  close(): Promise<void> {
    return this.#session.close(soon());
  }
}
