import type { JSX } from 'preact';
import type { PowerState } from '../../drivers/driver.js';

/** Every state has a shape and a word of its own, so that colour is never all that tells it. Each is drawn within 16 × 16. */

interface Shape { readonly d: string; /** drawn as a line of this width; else filled */ readonly line?: number }

export const STATE_SHAPES: Readonly<Record<PowerState, Shape>> = {
  on: { d: 'M8 2.500a5.500 5.500 0 1 1 0 11a5.500 5.500 0 0 1 0-11Z' },
  off: { d: 'M8 3.200a4.800 4.800 0 1 1 0 9.600a4.800 4.800 0 0 1 0-9.600Z', line: 1.7 },
  paused: { d: 'M4.500 3h2.600v10H4.500zM8.900 3h2.600v10H8.900z' },
  suspended: { d: 'M6.200 2.600a5.600 5.600 0 1 0 7.200 7.200a5 5 0 0 1-7.200-7.200Z' },
  starting: { d: 'M8 3.200a4.800 4.800 0 1 1-4.800 4.800', line: 1.9 },
  stopping: { d: 'M8 3.200a4.800 4.800 0 1 0 4.800 4.800', line: 1.9 },
  crashed: { d: 'M8 1.800 15 14H1ZM7.200 6v4h1.600V6Zm0 5.100v1.500h1.600v-1.500Z' },
  unknown: { d: 'M5.300 6.200a2.700 2.700 0 1 1 4.100 2.200c-.9.600-1.400 1-1.400 2M8 12.300v1.300', line: 1.8 },
};

const SIGNS = {
  mark: { d: 'M8 1 15 8l-7 7-7-7Z' },
  find: { d: 'M7 2.700a4.300 4.300 0 1 1 0 8.600a4.300 4.300 0 0 1 0-8.600ZM10.200 10.200l3.600 3.600', line: 1.5 },
  start: { d: 'M5 3.200v9.600l7.800-4.800z' },
  stop: { d: 'M4 4h8v8H4z' },
  reboot: { d: 'M12.600 8a4.600 4.600 0 1 1-1.500-3.400M12.700 2.300v3h-3', line: 1.5 },
  console: { d: 'M1.800 3h12.400v10H1.800zM4.500 6l2.200 2-2.200 2M8.500 10.300h3', line: 1.4 },
  close: { d: 'M4 4l8 8M12 4l-8 8', line: 1.5 },
  warn: { d: 'M8 1.800 15 14H1ZM7.200 6v4h1.600V6Zm0 5.100v1.500h1.600v-1.500Z' },
  theme: { d: 'M8 2a6 6 0 1 1 0 12a6 6 0 0 1 0-12Zm0 1.500v9a4.500 4.500 0 0 0 0-9Z' },
  plans: { d: 'M2 4h5M2 8h5M2 12h5M10 4h4M10 8h4M7 4c2 0 1 4 3 4', line: 1.4 },
  activity: { d: 'M1.500 8.500H5l2-5 2.500 9 1.800-4h3.200', line: 1.4 },
  audit: { d: 'M3.500 2h9v12h-9zM6 5.500h4M6 8h4M6 10.500h2.500', line: 1.4 },
  done: { d: 'M3 8.500 6.500 12 13 4.500', line: 1.8 },
  person: { d: 'M8 2.500a2.600 2.600 0 1 1 0 5.200a2.600 2.600 0 0 1 0-5.200ZM2.800 13.500c.5-2.800 2.500-4.200 5.200-4.200s4.700 1.400 5.200 4.200', line: 1.4 },
  clock: { d: 'M8 2.200a5.800 5.800 0 1 1 0 11.600a5.800 5.800 0 0 1 0-11.600ZM8 4.800V8l2.300 1.600', line: 1.4 },
} as const satisfies Readonly<Record<string, Shape>>;

export type SignName = keyof typeof SIGNS;

const Svg = ({ d, line, size }: Shape & { readonly size: number }): JSX.Element => (
  <svg
    class="icon"
    width={size}
    height={size}
    viewBox="0 0 16 16"
    aria-hidden="true"
    fill={line === undefined ? 'currentColor' : 'none'}
    fill-rule="evenodd"
    stroke={line === undefined ? 'none' : 'currentColor'}
    stroke-width={line ?? 0}
    stroke-linecap="round"
    stroke-linejoin="round"
  ><path d={d} />
  </svg>
);

export const Icon = ({ of, size = 16 }: { readonly of: SignName; readonly size?: number }): JSX.Element => <Svg {...SIGNS[of]} size={size} />;

export const StateIcon = ({ of }: { readonly of: PowerState }): JSX.Element => <Svg {...STATE_SHAPES[of]} size={14} />;

export const StateMark = ({ of }: { readonly of: PowerState }): JSX.Element => <span class={`state ${of}`}><StateIcon of={of} />{of}</span>;

/** The same drawing without the virtual DOM, for the list. */
export function stateNode(state: PowerState): SVGSVGElement {
  const { d, line } = STATE_SHAPES[state];
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const attributes = {
    class: 'icon', width: 14, height: 14, viewBox: '0 0 16 16', 'aria-hidden': 'true', fill: line === undefined ? 'currentColor' : 'none', 'fill-rule': 'evenodd',
    stroke: line === undefined ? 'none' : 'currentColor', 'stroke-width': line ?? 0, 'stroke-linecap': 'round', 'stroke-linejoin': 'round',
  };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, String(value));
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', d);
  svg.append(path);
  return svg;
}
