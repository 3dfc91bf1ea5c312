import { render } from 'preact';
import { applyTheme, whenThemeChanges } from '../theme.js';
import { ConsolePage, NoPlace } from './page.js';
import { readConsolePlace } from './place.js';
import { ConsoleSession } from './session.js';

/** Where a console's page begins. It is a document of its own: what it needs is loaded here alone. */

applyTheme();
whenThemeChanges(() => undefined);
addEventListener('hashchange', () => location.reload());
const root = document.getElementById('app')!;
const place = readConsolePlace(location.hash);
if (place === undefined) render(<NoPlace />, root);
else {
  const session = new ConsoleSession(place);
  document.title = `${session.title} – argo`;
  render(<ConsolePage session={session} />, root);
}
