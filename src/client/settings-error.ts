/** What the user asked for does not fit together: exit code 2. */
export class SettingsError extends Error {}
