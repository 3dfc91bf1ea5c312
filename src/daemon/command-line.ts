import type { Argv } from 'yargs';
import { packageVersion } from '../kit/own-files.js';
import { FLEET_REPLICAS } from '../kit/fleet-limits.js';
import type { FleetReport } from './fleet-command.js';
import { endWithReader } from './output.js';
import { run } from './run.js';

/** The daemon's command line, beyond plain running. */

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const editor = async (config: string | undefined) => (await import('./accounts.js')).AccountEditor.open(config);

/** What is done about the tokens of accounts. */
const tokenCommands = (args: Argv<{ config: string | undefined }>): typeof args => args
  .command('token <account>', 'make a token, which does at most what its account may', (one) => one
    .positional('account', { type: 'string', demandOption: true })
    .option('name', { type: 'string', default: 'token', describe: 'what log and audit call it', requiresArg: true })
    .option('instances', { type: 'string', array: true, default: ['*'], describe: 'only these instances' })
    .option('commands', { type: 'string', array: true, default: ['*'], describe: 'only these commands, such as read' })
    .option('expires', { type: 'string', describe: 'after so long, such as 30d', requiresArg: true }),
  async ({ config, account, name, instances, commands, expires }) => {
    const { token, words } = await (await editor(config)).addToken(account, { name, instances, commands, expires });
    process.stderr.write(`${words}\n`);
    print(token);
  })
  .command('tokens [account]', 'list the tokens', (one) => one.positional('account', { type: 'string' }),
    async ({ config, account }) => (await editor(config)).listTokens(account).forEach(print))
  .command('revoke <account> <name>', 'take a token away', (one) => one.positional('account', { type: 'string', demandOption: true }).positional('name', { type: 'string', demandOption: true }),
    async ({ config, account, name }) => print(await (await editor(config)).revokeToken(account, name)));

const printReport = ({ lines, warnings, faults }: FleetReport): void => {
  lines.forEach(print);
  warnings.forEach((words) => process.stderr.write(`argo-server: warning: ${words}\n`));
  faults.forEach((words) => process.stderr.write(`argo-server: ${words}\n`));
  if (faults.length > 0) process.exitCode = 1;
};

const fleet = async () => import('./fleet-command.js');

/** What prepares a fleet's bus. */
const fleetCommands = (args: Argv<{ config: string | undefined }>): typeof args => args
  .command('key', 'make the key that [fleet] names, where there is none, and show what the bus has to know of it', (one) => one
    .option('admin', { type: 'string', describe: 'a file for the key of who administers the bus, instead', requiresArg: true }),
  async ({ config, admin }) => printReport((await fleet()).fleetKey(config, admin)))
  .command('init', 'make the buckets and streams on the bus', (one) => one
    .option('admin', { type: 'string', demandOption: true, describe: 'the file with the key of who administers the bus', requiresArg: true })
    .option('replicas', { type: 'number', default: FLEET_REPLICAS, describe: 'copies, each on another server', requiresArg: true })
    .option('events-size', { type: 'string', describe: 'what events may take, such as 1GiB', requiresArg: true })
    .option('audit-size', { type: 'string', describe: 'what the audit of fronts may take, such as 10GiB', requiresArg: true })
    .option('change', { type: 'boolean', default: false, describe: 'change what is there with other settings' }),
  async (options) => printReport(await (await fleet()).fleetInit(options)))
  .command('check', 'say whether the bus can be reached, and is as it should be', (one) => one
    .option('admin', { type: 'string', describe: 'by the key in this file, instead of the server\'s own', requiresArg: true }),
  async ({ config, admin }) => printReport(await (await fleet()).fleetCheck(config, admin)))
  .demandCommand(1, 'say what to do: key, init or check');

/**
 * Does what the words say.
 * @param words of the command line, the program's own name left out
 */
export async function commandLine(words: readonly string[]): Promise<void> {
  endWithReader();
  // there as an ES module alone, which what runs cannot require
  const { default: yargs } = await import('yargs');
  await yargs(words)
    .scriptName('argo-server')
    .usage('$0 [options]\n\nA line protocol that powers every machine you own.')
    .option('config', { type: 'string', describe: 'the configuration file', requiresArg: true })
    .command('$0', 'run the server', (args) => args
      .option('listen', { type: 'string', describe: 'listen on this host:port instead', requiresArg: true }), async ({ config, listen }) => {
      process.exitCode = await run({ config, listen });
    })
    .command('check', 'say whether the configuration file is good', (args) => args, async ({ config }) => {
      const { verdict, warnings } = await (await import('./check.js')).check(config);
      warnings.forEach((warning) => process.stderr.write(`argo-server: warning: ${warning}\n`));
      print(verdict);
    })
    .command('account', 'change accounts in the configuration file', (args) => tokenCommands(args)
      .command('add <name>', 'add an account; its password is asked for, or read from standard input', (one) => one
        .positional('name', { type: 'string', demandOption: true })
        .option('instances', { type: 'string', array: true, describe: 'grant: these instances, such as lj "lab/*" @web' })
        .option('commands', { type: 'string', array: true, default: ['*'], describe: 'grant: these commands, such as read power start' }),
      async ({ config, name, instances, commands }) => {
        print(await (await editor(config)).add(name, instances ? [{ instances, commands }] : []));
      })
      .command('passwd <name>', 'change an account\'s password', (one) => one.positional('name', { type: 'string', demandOption: true }),
        async ({ config, name }) => print(await (await editor(config)).changePassword(name)))
      .command('remove <name>', 'remove an account', (one) => one.positional('name', { type: 'string', demandOption: true }),
        async ({ config, name }) => print(await (await editor(config)).remove(name)))
      .command('list', 'list the accounts', (one) => one, async ({ config }) => (await editor(config)).list().forEach(print))
      .demandCommand(1, 'say what to do: add, passwd, list, remove, token, tokens or revoke'))
    .command('fleet', 'prepare the bus of a fleet, and look at it', fleetCommands)
    .command('audit', 'show the actions that were taken', (args) => args
      .option('since', { type: 'string', describe: 'only since then: a date, or a duration such as 2h', requiresArg: true })
      .option('account', { type: 'string', describe: 'only of this account', requiresArg: true })
      .option('instance', { type: 'string', describe: 'only on this instance', requiresArg: true })
      .option('after', { type: 'number', describe: 'only actions of a higher number, as --json shows it', requiresArg: true })
      .option('follow', { alias: 'f', type: 'boolean', default: false, describe: 'go on with what comes, until interrupted' })
      .option('json', { type: 'boolean', default: false, describe: 'a JSON object a line' }),
    async (options) => {
      const { auditReport } = await import('./audit-report.js');
      for await (const line of auditReport(options)) print(line);
    })
    .version(packageVersion())
    .help()
    .strict()
    .fail((message, error) => {
      // a wrong command line comes with a message alone or an error of the parser; what a command threw comes as its own
      const isUsage = !error || error.name === 'YError';
      process.stderr.write(isUsage ? `argo-server: ${message || error.message}; see argo-server --help\n` : `argo-server: ${error.message}\n`);
      process.exit(isUsage ? 2 : 1);
    })
    .parseAsync();
}
