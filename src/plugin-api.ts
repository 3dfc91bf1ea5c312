/** What authors of plugins import: `import type { Plugin } from 'argo-server'`. */
export type { Body, Command, Context, OptionName, Options, Plugin, Target } from './plugins/host/contract.js';
export type { PowerAction } from './instances/actions.js';
export type { PowerState } from './drivers/driver.js';
export { ArgoError, PHRASES, type Phrase } from './kit/errors.js';
