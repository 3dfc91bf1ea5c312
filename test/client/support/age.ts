import { utimesSync } from 'node:fs';

/** Makes a file as old as it says. @param seconds may be negative: it is then of the future */
export const age = (path: string, seconds: number): void => utimesSync(path, new Date(), new Date(Date.now() - seconds * 1000));
