/** What is used of noVNC, which has no types of its own: its docs/API.md. */
declare module '@novnc/novnc' {
  interface Events {
    connect: CustomEvent;
    disconnect: CustomEvent<{ readonly clean: boolean }>;
    clipboard: CustomEvent<{ readonly text: string }>;
  }

  export default class RFB {
    constructor(target: HTMLElement, channel: WebSocket, options: { readonly shared: boolean });
    scaleViewport: boolean;
    viewOnly: boolean;
    background: string;
    addEventListener<K extends keyof Events>(type: K, listener: (event: Events[K]) => void): void;
    focus(): void;
    disconnect(): void;
    sendCtrlAltDel(): void;
    /** @param down left out: pressed and let go */
    sendKey(keysym: number, code: string | null, down?: boolean): void;
    clipboardPasteFrom(text: string): void;
    toBlob(callback: (picture: Blob | null) => void): void;
  }
}
