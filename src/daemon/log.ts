import pino from 'pino';
import type { Log } from '../kit/log.js';

/** Log lines that wait to be written; further ones are dropped, so that a reader who stops cannot stop us. Bytes. */
const LOG_BACKLOG = 1024 * 1024;

/** Keys whose values never reach the log, wherever they stand. */
const SECRET_KEYS = ['password', 'passwordHash', 'sudo-password', 'private-key', 'privateKey', 'secret', 'token'];

export interface Logger {
  readonly log: Log;
  setLevel(level: string): void;
  /** Writes what is left, before the process ends. */
  flush(): void;
}

/** JSON lines on standard error. */
export function createLogger(level: string): Logger {
  const destination = pino.destination({ fd: 2, sync: false, maxLength: LOG_BACKLOG });
  const logger = pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { cause: pino.stdSerializers.err },
    redact: SECRET_KEYS.flatMap((key) => [`["${key}"]`, `*["${key}"]`]),
  }, destination);
  return {
    log: (lineLevel, message, facts) => logger[lineLevel](facts ?? {}, message),
    setLevel: (newLevel) => {
      logger.level = newLevel;
    },
    flush: () => {
      try {
        destination.flushSync();
      } catch {
        // standard error is closed, or was never open: there is nowhere left to say so
      }
    },
  };
}
