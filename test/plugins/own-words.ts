/** The words that the server has of its own, in the order of the alphabet: written down here, so that one that is lost, or comes unnoticed, is found. */
export const OWN_WORDS: readonly string[] = [
  'auth', 'autostart', 'bridge', 'console', 'disk', 'dmesg', 'enrol', 'enrol-me', 'exit', 'fleet', 'gateway', 'hardware', 'help', 'image', 'info', 'ip', 'list', 'load', 'mac',
  'machine', 'migrate', 'nop', 'pause', 'plan', 'reboot', 'resume', 'route', 'rx', 'shell', 'start', 'stats', 'status', 'stop', 'suspend', 'tag', 'task',
  'template', 'tx', 'unpause', 'uptime', 'volume', 'watch',
];
