/** A line for the log. Never put a secret into it. */
export type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void;
