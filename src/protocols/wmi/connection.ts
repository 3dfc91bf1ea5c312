/**
 * WMI as a client sees it, whatever carries it: WS-Management or DCOM. Classes, properties and
 * methods go by their names; every value is text, as WMI's own MOF types are for the reader to parse.
 */

/** Names one object: its namespace, class and keys. */
export interface WmiPath {
  /** as in `root/cimv2`, `root/virtualization/v2` */
  readonly namespace: string;
  readonly className: string;
  /** its key properties; none where the class has but one instance */
  readonly keys: Readonly<Record<string, string>>;
}

/** null is WMI's own: a property that has no value. A date is in ISO 8601 with its offset. */
export type WmiValue = string | null | WmiPath | WmiObject | readonly WmiValue[];

/** An instance, or what a method gives back; by property, in WMI's own spelling. */
export interface WmiObject {
  readonly [property: string]: WmiValue;
}

/** What a method takes. Order matters to some servers: keep the one that the class declares. */
export type WmiParameters = Readonly<Record<string, string | readonly string[]>>;

/** Every call rejects soon after its signal is aborted, and has a deadline of its own. */
export interface WmiConnection {
  /** @throws as {@link query}; a WmiFault of kind `no-such-instance` where there is none */
  get(path: WmiPath, signal: AbortSignal): Promise<WmiObject>;

  /**
   * All objects that a query yields.
   * @param wql such as `SELECT Name, EnabledState FROM Msvm_ComputerSystem`
   * @throws WmiFault, WmiAccessError; ConnectionLostError, CertificateError of protocols/tls
   */
  query(namespace: string, wql: string, signal: AbortSignal): Promise<readonly WmiObject[]>;

  /**
   * Calls a method, never twice: where the connection is lost after sending, it rejects with a
   * ConnectionLostError whose `sent` is true.
   * @returns what the method gives back; its own return code is `ReturnValue`
   */
  invoke(path: WmiPath, method: string, parameters: WmiParameters, signal: AbortSignal): Promise<WmiObject>;

  /** Ends the session. Calls that are under way reject. */
  close(): Promise<void>;
}
