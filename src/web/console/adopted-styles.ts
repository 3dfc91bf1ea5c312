/**
 * Lets xterm.js work where the page's policy allows no style that stands in the document itself (`style-src 'self'`). It
 * makes `<style>` elements and writes `style` attributes, both of which the policy forbids since whoever brought markup in
 * could do so too; what scripts set by the CSSOM is theirs to set (CSP 3, 6.7.3, and CSSOM, 6.7). So both are set by that.
 */

class AdoptedStyle extends HTMLElement {
  readonly #sheet = new CSSStyleSheet();

  override get textContent(): string {
    return '';
  }

  override set textContent(css: string) {
    this.#sheet.replaceSync(css);
  }

  connectedCallback(): void {
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, this.#sheet];
  }

  disconnectedCallback(): void {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.#sheet);
  }
}

const NAME = 'adopted-style';

/** From now on, for the whole document. */
export function adoptStyles(): void {
  if (customElements.get(NAME) !== undefined) return;
  customElements.define(NAME, AdoptedStyle);
  const create = document.createElement.bind(document);
  document.createElement = ((name: string, options?: ElementCreationOptions) => create(name === 'style' ? NAME : name, options)) as typeof document.createElement;
  HTMLSpanElement.prototype.setAttribute = function (name: string, value: string): void {
    if (name === 'style') this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}
