/** Names of templates and of what lies in them. The gate has checked those that users give by the same form. */

/** No folder, no `..`, nothing that a program would take for an option. */
const NAME = /^[A-Za-z0-9](?!.*\.\.)[A-Za-z0-9._-]{0,127}$/;

export const isFileName = (name: string): boolean => NAME.test(name);

/** An archive's endings; what is before one is the template's name. */
const ARCHIVE = /^(.+?)\.(?:tar|tar\.gz|tgz|tar\.xz|ova)$/;

/** The name of the template that is in a file of this name; undefined for what is no archive, or has no good name. */
export function templateInFile(file: string): string | undefined {
  const name = ARCHIVE.exec(file)?.[1];
  return name !== undefined && isFileName(file) && isFileName(name) ? name : undefined;
}

/** The descriptor's name in a template of this name. */
export const descriptorOf = (template: string): string => `${template}.ovf`;
