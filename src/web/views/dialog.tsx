import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from './icons.js';

interface Props {
  readonly title: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
  readonly css?: string;
}

/** A dialog above all else; Escape and a click beside it close it. The browser keeps the focus within. */
export function Dialog({ title, close, children, css = '' }: Props): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  const beside = (event: MouseEvent): void => {
    if (event.target === dialog.current) close();
  };
  return (
    <dialog ref={dialog} class={css} aria-labelledby="dialog-title" onCancel={(event) => { event.preventDefault(); close(); }} onMouseDown={beside}>
      <div class="sheet">
        <header><h2 id="dialog-title">{title}</h2><button type="button" class="bare icon-only" aria-label="Close" onClick={close}><Icon of="close" /></button></header>
        {children}
      </div>
    </dialog>
  );
}
