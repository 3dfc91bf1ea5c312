/** Decides what must be installed or compiled; touches no files itself. */

/**
 * The packages of package-lock.json that are not installed in the version it names.
 * @param {{ packages?: Record<string, { version?: string, dev?: boolean, devOptional?: boolean, optional?: boolean }> }} wanted package-lock.json
 * @param {{ packages?: Record<string, { version?: string }> }} installed node_modules/.package-lock.json, which npm writes
 * @param {{ dev: boolean }} options whether packages for development count
 * @returns {string[]} their folders. Optional ones may always be missing, such as those of another system.
 */
export function missingPackages(wanted, installed, { dev }) {
  return Object.entries(wanted.packages ?? {})
    .filter(([folder, entry]) => folder !== '' && entry.optional !== true && entry.devOptional !== true && (dev || entry.dev !== true))
    .filter(([folder, entry]) => installed.packages?.[folder]?.version !== entry.version)
    .map(([folder]) => folder);
}

/**
 * @param {number[]} sourceTimes when sources, their folders and the compiler's settings last changed, ms
 * @param {number | undefined} compiledTime when the last good compilation began, ms
 */
export function needsCompiling(sourceTimes, compiledTime) {
  return compiledTime === undefined || sourceTimes.some((time) => time >= compiledTime);
}

/**
 * Compiled files whose source is gone: a plugin or a test that was removed must not live on.
 * @param {string[]} compiled paths below the project's folder, beginning with dist/
 * @param {(source: string) => boolean} exists
 */
export function orphans(compiled, exists) {
  return compiled.filter((path) => {
    const source = /^dist\/(.+?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(path)?.[1];
    return source !== undefined && !exists(`${source}.ts`);
  });
}
