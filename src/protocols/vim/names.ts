/** vSphere writes three characters of a name as URLs do (ManagedEntity.name). */
export const decodeName = (name: string): string =>
  name.replace(/%(2f|5c|25)/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
