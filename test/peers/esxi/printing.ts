/** Prints data objects and tables as vim-cmd of different versions does. */

/** The versions whose ways are known from transcripts. */
export const ESXI_VERSIONS = ['5', '6.5', '7', '9'] as const;
export type EsxiVersion = (typeof ESXI_VERSIONS)[number];

/** A reference to a managed object, printed in single quotes. */
export class Ref {
  constructor(readonly to: string) {}
}

/** A null of a type. */
export class Null {
  constructor(readonly type: string) {}
}

export class Obj {
  constructor(readonly type: string, readonly fields: Readonly<Record<string, Printable>>) {}
}

export class List {
  constructor(readonly type: string, readonly items: readonly Printable[]) {}
}

export type Printable = string | number | bigint | boolean | undefined | Ref | Null | Obj | List;

/** As ESXi prints it: texts raw, undefined as `<unset>`. Old versions have a dynamicType and a comma after the last field. */
export function print(value: Printable, version: EsxiVersion, indent = ''): string {
  const deeper = `${indent}   `;
  if (value === undefined) return '<unset>';
  if (typeof value === 'string') return `"${value}"`;
  if (value instanceof Ref) return `'${value.to}'`;
  if (value instanceof Null) return `(${value.type}) null`;
  if (value instanceof List) {
    const items = value.items.map((item) => `${deeper}${print(item, version, deeper)}`).join(', \n');
    return `(${value.type}) [\n${items}\n${indent}]`;
  }
  if (value instanceof Obj) {
    const fields = version === '5' ? { dynamicType: undefined, ...value.fields } : value.fields;
    const lines = Object.entries(fields).map(([name, field]) => `${deeper}${name} = ${print(field, version, deeper)}`);
    return `(${value.type}) {\n${lines.join(', \n')}${version === '5' ? ', ' : ''}\n${indent}}`;
  }
  return String(value);
}

/** A fault: `msg` is a field like the others in version 5; later it comes last, without a comma before it. */
export function printFault(type: string, fields: Readonly<Record<string, Printable>>, msg: string, version: EsxiVersion): string {
  const all: Record<string, Printable> = { faultCause: new Null('vmodl.MethodFault'), ...(version === '5' ? {} : { faultMessage: undefined }), ...fields };
  if (version === '5') return print(new Obj(type, { ...all, msg }), version);
  return print(new Obj(type, all), version).replace(/\n\}$/, `\n   msg = "${msg}"\n}`);
}

/** The table of getallvms: columns as wide as their widest cell, three blanks between, headers centred. */
export function printTable(rows: readonly (readonly string[])[]): string {
  const header = ['Vmid', 'Name', 'File', 'Guest OS', 'Version', 'Annotation'];
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => column === header.length - 1 ? 0 : row[column]!.length)));
  const centred = header.map((title, column) => {
    const spare = widths[column]! - title.length;
    return column === 0 ? title.padEnd(widths[0]!) : `${' '.repeat(spare >> 1)}${title}${' '.repeat(spare - (spare >> 1))}`;
  });
  return [centred, ...rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)))].map((cells) => `${cells.join('   ')}\n`).join('');
}
