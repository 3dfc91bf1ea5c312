/** Where one is in the page, as it stands behind the `#` of its address: it can be sent to a colleague. */

export const VIEWS = ['machines', 'plans', 'activity', 'audit'] as const;
export type ViewName = (typeof VIEWS)[number];

export interface Place {
  readonly view: ViewName;
  /** the filter */
  readonly q: string;
  /** the machine whose details are open: its full name, else empty */
  readonly machine: string;
  /** the plan that is open, else empty */
  readonly plan: string;
}

export const START: Place = { view: 'machines', q: '', machine: '', plan: '' };

export function readPlace(hash: string): Place {
  const words = new URLSearchParams(hash.replace(/^#/, ''));
  const view = words.get('view') as ViewName;
  return { view: VIEWS.includes(view) ? view : 'machines', q: words.get('q') ?? '', machine: words.get('machine') ?? '', plan: words.get('plan') ?? '' };
}

export function writePlace({ view, q, machine, plan }: Place): string {
  const words = Object.entries({ view: view === 'machines' ? '' : view, q, machine, plan }).filter(([, value]) => value !== '');
  // what people write in filters stays readable
  return words.length === 0 ? '#' : `#${words.map(([key, value]) => `${key}=${encodeURIComponent(value).replace(/%(3A|40|2F|2C)/g, (code) => decodeURIComponent(code)).replaceAll('%20', '+')}`).join('&')}`;
}

/** The code of a one-time link, `#login=CODE`. */
export const loginCode = (hash: string): string | undefined => new URLSearchParams(hash.replace(/^#/, '')).get('login') ?? undefined;
