import type { Properties } from '../../protocols/vim/properties.js';
import { at, flagOf, listOf, textOf, type VimValue } from '../../protocols/vim/value.js';
import type { PowerState } from '../driver.js';

/** What vSphere says of machines, and what that is called here. */

const POWER: Readonly<Record<string, PowerState>> = { poweredOn: 'on', poweredOff: 'off', suspended: 'suspended' };

/** What vSphere last knew of a machine that it has lost sight of says nothing of what it is doing now. */
export function vmState(properties: Properties): PowerState {
  if (properties.get('runtime.connectionState') !== 'connected') return 'unknown';
  return POWER[textOf(properties.get('runtime.powerState')) ?? ''] ?? 'unknown';
}

/** Templates, and the agents that a cluster runs for itself, which nobody may touch. */
export function isHidden(properties: Properties): boolean {
  return flagOf(properties.get('config.template'))
    || at(properties.get('config.managedBy'), 'extensionKey') === 'com.vmware.vim.eam'
    || /^vCLS[ -]/.test(textOf(properties.get('name')) ?? '');
}

/** A question that a machine waits with (VirtualMachineQuestionInfo). */
export interface Question {
  readonly id: string;
  /** ids of its messages, such as msg.uuid.altered */
  readonly messages: readonly string[];
  /** what is asked, and what may be answered */
  readonly text: string;
  readonly choices: readonly { readonly key: string; readonly label: string }[];
}

export function questionOf(value: VimValue | undefined): Question | undefined {
  const id = textOf(at(value, 'id'));
  if (id === undefined) return undefined;
  const choices = listOf(at(value, 'choice', 'choiceInfo')).map((choice) => ({
    key: textOf(at(choice, 'key')) ?? '', label: textOf(at(choice, 'label')) ?? textOf(at(choice, 'summary')) ?? '',
  }));
  const asked = (textOf(at(value, 'text')) ?? 'no text').replace(/\s+/g, ' ').trim();
  return {
    id, choices,
    messages: listOf(at(value, 'message')).map((message) => textOf(at(message, 'id'))).filter((name) => name !== undefined),
    text: choices.length === 0 ? asked : `${asked} (${choices.map(({ label }) => label).join(' | ')})`,
  };
}
