/** A user or a group of a host. */
export type Entry = readonly [name: string, id: number];

/** What is in a file of users or groups (passwd(5), group(5)): several names may have one number. */
export function entriesIn(text: string): readonly Entry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , id = ''] = line.split(':');
    return name !== '' && /^\d{1,10}$/.test(id) ? [[name, Number(id)] as const] : [];
  });
}
