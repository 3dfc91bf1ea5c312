import type { DeploySettings } from '../../../management/storage.js';
import type { Descriptor } from './descriptor.js';
import type { Found } from './folder.js';

/** A machine that is to be made from a template. */
export interface Deployment {
  readonly found: Found;
  readonly descriptor: Descriptor;
  /** of the machine */
  readonly name: string;
  readonly settings: DeploySettings;
}
