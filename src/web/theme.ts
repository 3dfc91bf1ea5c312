/** The page's colours: those of the system, or the ones that were chosen, kept in this browser. */

const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'theme';

const isTheme = (text: string | null): text is Theme => THEMES.includes(text as Theme);

/** Puts the kept choice into force. @returns it */
export function applyTheme(): Theme {
  const kept = localStorage.getItem(KEY);
  const chosen = isTheme(kept) ? kept : 'auto';
  if (chosen === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen;
  return chosen;
}

/** Chooses the next one. @returns it */
export function turnTheme(theme: Theme): Theme {
  localStorage.setItem(KEY, THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!);
  return applyTheme();
}

/** Calls back when the colours become others: by the system, or by another of our pages. @returns ends that */
export function whenThemeChanges(then: () => void): () => void {
  const ofSystem = matchMedia('(prefers-color-scheme: dark)');
  const chosen = ({ key }: StorageEvent): void => {
    if (key !== KEY) return;
    applyTheme();
    then();
  };
  ofSystem.addEventListener('change', then);
  addEventListener('storage', chosen);
  return () => {
    ofSystem.removeEventListener('change', then);
    removeEventListener('storage', chosen);
  };
}
