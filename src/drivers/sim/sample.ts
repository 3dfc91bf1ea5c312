import type { Disk, Load, PowerState, Sample } from '../driver.js';
import { imagePath, type SimHardware } from './management/park.js';

/** bytes a second that a machine which is on receives and sends, so that counters count */
const RX_RATE = 1500;
const TX_RATE = 700;

export const LOAD: Load = { averages: [0.1, 0.05, 0.01] };

/** @param seconds that it has been on */
export const trafficAfter = (seconds: number): { readonly rx: bigint; readonly tx: bigint } =>
  ({ rx: BigInt(Math.floor(seconds * RX_RATE)), tx: BigInt(Math.floor(seconds * TX_RATE)) });

/** @param hardware that is in use */
export function disksOf(name: string, { disk: size, image, volume }: SimHardware): readonly Disk[] {
  if (volume !== undefined) return [{ target: 'vda', type: 'lvm', size, source: volume }];
  if (image !== undefined) return [{ target: 'vda', type: 'file', format: 'qcow2', size, source: imagePath(image) }];
  return [{ target: 'xvda', type: 'file', format: 'ext4', size, source: `/srv/sim/${name}.img` }];
}

/**
 * What a machine was when a sample of all was taken: its readings are made when they are asked for, since most of ten
 * thousand never are, and all of them would be garbage for the collector to copy.
 */
export class SimSample implements Sample {
  readonly status: PowerState;
  readonly #name: string;
  readonly #hardware: SimHardware;
  /** undefined: it is not up */
  readonly #secondsUp: number | undefined;

  constructor(name: string, status: PowerState, hardware: SimHardware, secondsUp: number | undefined) {
    this.status = status;
    this.#name = name;
    this.#hardware = hardware;
    this.#secondsUp = secondsUp;
  }

  get rx(): bigint {
    return this.#traffic.rx;
  }

  get tx(): bigint {
    return this.#traffic.tx;
  }

  get disk(): readonly Disk[] {
    return disksOf(this.#name, this.#hardware);
  }

  get uptime(): number | undefined {
    return this.#secondsUp;
  }

  get load(): Load | undefined {
    return this.status === 'on' ? LOAD : undefined;
  }

  get #traffic(): { readonly rx: bigint; readonly tx: bigint } {
    return trafficAfter(this.status === 'on' ? this.#secondsUp ?? 0 : 0);
  }
}
