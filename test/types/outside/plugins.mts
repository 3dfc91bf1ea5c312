/**
 * Plugins as others write them: all that docs/plugins.md promises is used, and each `@ts-expect-error` is a mistake that the
 * types have to find. Nothing of this runs.
 */
import { ArgoError, PHRASES, SettingsFault } from 'argo-server';
import type {
  Actor, Body, Call, Command, Context, InstanceInfo, InstanceRef, OperationName, OptionName, Options, Outcome, Phrase, Plugin, PowerAction, PowerCall,
  PowerOrder, PowerState, ReadCall, Right, Target, Verb, VerbCommand, WorkArgs, WorkName, WorkRequest, WorkResult, WorkSubject, WorkTask,
} from 'argo-server';
import { exactly } from './exactly.mjs';

const run = (request: Context): void => request.body.line('fine');

/** The row of a command, with every key of the table. */
export const whole: Command = {
  word: 'lamp', aliases: ['light'], usage: 'lamp NAME... on|off', help: 'Switch lamps.', right: 'power', alsoBy: ['plan', 'host'], on: 'instances',
  options: ['wait', 'force', 'timeout', 'dry-run', 'json', 'ids', 'full', 'follow', 'undo', 'disks', 'rollback'], words: ['on', 'off'],
  rawWords: false, unlisted: true, repeatable: false, run,
};

const least = { word: 'lamp', usage: 'lamp', help: 'Switch lamps.' } as const;

export const everyRight: readonly Command[] = (['anyone', 'listing', 'read', 'power', 'console', 'console-view', 'configure', 'host', 'plan', 'shell'] as const)
  .map((right) => ({ ...least, right, run }));
export const everySubject: readonly Command[] = (['instances', 'instances-then', 'instance', 'provider'] as const).map((on) => ({ ...least, right: 'read', on, run }));

const verb: Verb = { word: 'on', usage: 'lamp on', help: 'Switch it on.', right: 'power', on: 'instance', options: ['wait'], words: ['soon'], run: async () => undefined };
const verbs: VerbCommand = { word: 'lamp', help: 'Switch lamps.', verbs: [verb] };
export const plugin = { commands: [whole, verbs] } satisfies Plugin;

// A row with a mistake.
// @ts-expect-error: a right that there is not
export const right: Command = { ...least, right: 'root', run };
// @ts-expect-error: 'anyone' is no right that others could share
export const alsoBy: Command = { ...least, right: 'read', alsoBy: ['anyone'], run };
// @ts-expect-error: a subject that there is not
export const subject: Command = { ...least, right: 'read', on: 'groups', run };
// @ts-expect-error: an option that there is not
export const option: Command = { ...least, right: 'read', options: ['colour'], run };
// @ts-expect-error: no right
export const noRight: Command = { ...least, run };
// @ts-expect-error: nothing that it does
export const noRun: Command = { ...least, right: 'read' };
// @ts-expect-error: a key that there is not
export const key: Command = { ...least, right: 'read', run, colour: 'red' };
// @ts-expect-error: what it gives is lost
export const gives: Command = { ...least, right: 'read', run: () => 'fine' };
// @ts-expect-error: a verb needs a right that is one
export const verbRight: Verb = { ...verb, right: 'anyone' };
// @ts-expect-error: one with verbs has no right of its own
export const verbsRight: VerbCommand = { ...verbs, right: 'read' };
// @ts-expect-error: a verb has no aliases
export const verbAliases: Verb = { ...verb, aliases: ['yes'] };
// @ts-expect-error: one command is no list of them
export const noList: Plugin = { commands: whole };

/** The request. */
export async function request(given: Context): Promise<void> {
  exactly<string | undefined>()(given.account);
  exactly<readonly string[]>()(given.args);
  exactly<readonly Target[]>()(given.targets);
  exactly<AbortSignal>()(given.signal);
  exactly<AbortSignal>()(given.interrupted);
  exactly<Actor>()(given.actor);
  options(given.options);
  body(given.body);
  await given.body.lines(new Set(['any', 'iterable']));
  for (const { name, instance } of given.visible()) given.body.line(`${name} ${instance.fullName}`);
  for (const { word, usage, help, verbs: ofIt } of given.commands()) given.body.line(`${word} ${usage} ${help} ${ofIt.map((one) => one.word).join()}`);
  given.remark(given.staleness().join());
  given.body.line(await given.dmesg());
  await given.each(async (target) => {
    exactly<PowerState>()(await given.status(target));
    await given.configure(target, { operation: 'autostart', value: true });
    await given.console(target, 'text');
    await given.console(target, 'shell');
    await readings(given, target);
    return ['a line', 'another'];
  });
  await given.each(async (target) => given.power(target, 'start'));
  await given.each(async () => undefined);
  given.close();
  given.usage();
}

export async function powers(given: Context, target: Target): Promise<void> {
  for (const action of ['start', 'stop', 'reboot', 'pause', 'unpause', 'suspend', 'resume'] as const satisfies readonly PowerAction[]) await given.power(target, action);
  // @ts-expect-error: the word of a reading is no power action
  await given.power(target, 'status');
  // @ts-expect-error: a power action that there is not
  await given.power(target, 'halt');
  // @ts-expect-error: a name is no target: names are resolved and checked before
  await given.power('lj', 'start');
  // @ts-expect-error: a mode is for actor.power
  await given.power(target, { action: 'stop', mode: 'hard', wait: true });
}

function options(given: Options): void {
  exactly<boolean | number>()(given.wait);
  exactly<number | undefined>()(given.timeout);
  exactly<number | undefined>()(given.rollback);
  for (const one of [given.force, given.dryRun, given.json, given.ids, given.full, given.follow, given.undo, given.disks]) exactly<boolean>()(one);
  exactly<'wait' | 'force' | 'timeout' | 'dry-run' | 'json' | 'ids' | 'full' | 'follow' | 'undo' | 'disks' | 'rollback'>()(whole.options![0] as OptionName);
  // @ts-expect-error: cannot be written to
  given.force = true;
  // @ts-expect-error: it is dryRun here
  void given['dry-run'];
}

function body(given: Body): void {
  given.line('one');
  // @ts-expect-error: many lines are for lines()
  given.line(['one', 'two']);
  // @ts-expect-error: a number is no line
  given.line(7);
  // @ts-expect-error: lines, not a count
  void given.lines(7);
}

async function readings(given: Context, target: Target): Promise<void> {
  exactly<PowerState>()(await given.read(target, 'status'));
  exactly<readonly string[]>()(await given.read(target, 'ip'));
  exactly<readonly string[]>()(await given.read(target, 'mac'));
  exactly<number>()(await given.read(target, 'uptime'));
  exactly<bigint>()(await given.read(target, 'rx'));
  exactly<bigint>()(await given.read(target, 'tx'));
  const { uuid, cpus, memory } = await given.read(target, 'info');
  exactly<string | undefined>()(uuid);
  exactly<number | undefined>()(cpus);
  exactly<bigint | undefined>()(memory);
  const load = await given.read(target, 'load');
  given.body.line('averages' in load ? load.averages.join(' ') : `${load.cpuPercent} %`);
  const [disk] = await given.read(target, 'disk');
  exactly<bigint | undefined>()(disk!.size);
  // @ts-expect-error: a reading that there is not
  await given.read(target, 'weather');
  // @ts-expect-error: bytes are BigInts, which do not mix with numbers
  void (await given.read(target, 'rx') / 1024);
}

/** Plain data: it reaches no machine, and cannot be written to. */
export function targets(target: Target): void {
  exactly<InstanceInfo>()(target);
  for (const text of [target.name, target.fullName, target.id, target.provider, target.providerType, target.since]) exactly<string>()(text);
  exactly<'vm' | 'container' | 'host'>()(target.type);
  exactly<PowerState>()(target.state);
  exactly<string | undefined>()(target.stale);
  exactly<readonly string[]>()(target.capabilities);
  // @ts-expect-error: cannot be written to
  target.state = 'off';
  // @ts-expect-error: nor can what is in it
  target.capabilities.push('fly');
  // @ts-expect-error: no way to the machine
  void target.machine;
  // @ts-expect-error: power goes through the request
  void target.start();
}

/** The request cannot be written to either. */
export function untouched(given: Context): void {
  // @ts-expect-error: the name may be missing
  given.account.toUpperCase();
  // @ts-expect-error: who one is
  given.account = 'steve';
  // @ts-expect-error: by what one works
  given.actor = given.actor;
  // @ts-expect-error: what one may do it to
  given.targets.push(given.targets[0]!);
  // @ts-expect-error: what was typed
  given.args[0] = 'lj';
}

/** The account at work. */
export async function actor(given: Actor, target: Target, signal: AbortSignal): Promise<void> {
  exactly<string>()(given.name);
  exactly<AbortSignal>()(given.signal);
  const { instances, isSingle } = await given.select(['web*', '@night']);
  exactly<readonly InstanceInfo[]>()(instances);
  exactly<boolean>()(isSingle);
  const ref: InstanceRef = { provider: 'kvm1', id: '1' };
  exactly<InstanceInfo>()(given.known(ref));
  exactly<string>()(given.display(ref));
  exactly<readonly Right[]>()(given.rights());
  exactly<boolean>()(given.mayAll());
  exactly<boolean>()(given.may('console.open', target));
  given.require(instances);
  exactly<string | undefined>()(await given.bootMark(target));
  exactly<string>()(await given.dmesg('kvm1'));
  exactly<string>()(await given.dmesg(undefined, { signal }));
  exactly<readonly string[]>()(given.staleness());
  exactly<readonly string[]>()(given.providers('image.list'));
  for (const { name } of given.visible()) exactly<string>()(name);
  for (const { provider, states, lastListing } of (await given.overview()).providers) console.log(provider, states.get('on'), lastListing);
  for (const { provider, name, state, sinceMs } of given.states()) console.log(provider, name, state, sinceMs);
  for (const { name, members } of await given.groups()) console.log(name, members.length);
  for await (const one of given.each(instances, async ({ name }) => name.length)) {
    if (one.error === undefined) exactly<number | undefined>()(one.value);
    exactly<InstanceInfo>()(one.subject);
  }
  // @ts-expect-error: an operation that there is not
  given.may('fly', target);
  // @ts-expect-error: power is no right that an operation is asked for by
  given.providers('power');
  // @ts-expect-error: names are words, which select() resolves
  given.known('lj');
  // @ts-expect-error: a provider's name alone names no instance
  given.known({ provider: 'kvm1' });
}

/** Power through the actor: with a mode, and with what came of it. */
export async function power(given: Actor, target: Target, signal: AbortSignal): Promise<void> {
  const call: PowerCall = { deadline: 60_000, cancel: signal, signal };
  const done: Outcome = await given.power(target, { action: 'stop', mode: { softFor: 60_000 }, wait: true }, call);
  exactly<'done' | 'already'>()(done.result);
  exactly<PowerState>()(done.before);
  exactly<PowerState>()(done.after);
  exactly<boolean>()(done.verified);
  exactly<number>()(done.auditId);
  const order: PowerOrder = { action: 'reboot', mode: 'soft', wait: 30_000 };
  exactly<string>()(await given.plan(target, order, { deadline: 1000 }));
  await given.power(target, { action: 'start', mode: 'hard', wait: false });
  const changed = await given.configure(target, { operation: 'autostart', value: false }, { deadline: 1000 });
  exactly<'done' | 'already'>()(changed.result);
  exactly<number>()(changed.auditId);
  exactly<string>()(await given.planChange(target, { operation: 'autostart', value: false }, { deadline: 1000 }));
  // @ts-expect-error: a reading is no power action
  await given.power(target, { action: 'info', mode: 'soft', wait: true });
  // @ts-expect-error: a setting is none either
  await given.power(target, { action: 'autostart', mode: 'soft', wait: true });
  // @ts-expect-error: a mode that there is not
  await given.power(target, { action: 'stop', mode: 'gently', wait: true });
  // @ts-expect-error: whether to wait has to be said
  await given.power(target, { action: 'stop', mode: 'soft' });
  // @ts-expect-error: an answer of some age is for readings
  await given.power(target, order, { maxAge: 1000 });
  // @ts-expect-error: times are milliseconds, not texts
  await given.power(target, order, { deadline: '60s' });
  // @ts-expect-error: a setting that there is not
  await given.configure(target, { operation: 'colour', value: true });
  // @ts-expect-error: autostart is true or false
  await given.configure(target, { operation: 'autostart', value: 'on' });
}

export async function reading(given: Actor, target: Target): Promise<void> {
  const call: ReadCall = { deadline: 1000, maxAge: 5000 };
  exactly<bigint>()(await given.read(target, 'tx', call));
  const asked: Call = { deadline: 1000 };
  exactly<number>()(await given.read(target, 'uptime', asked));
  // @ts-expect-error: what is read cannot be written to
  (await given.read(target, 'info')).uuid = 'another';
  // @ts-expect-error: nor lists of it
  (await given.read(target, 'ip')).push('192.0.2.1');
  // @ts-expect-error: a power action is no reading
  await given.read(target, 'start');
}

export async function consoles(given: Actor, target: Target, signal: AbortSignal): Promise<void> {
  const { stream, others, auditId, resize } = await given.console(target, { kind: 'text', force: true, size: { columns: 80, rows: 24 } }, { signal, deadline: 1000 });
  stream.pipe(process.stdout);
  exactly<number>()(auditId);
  resize({ columns: 132, rows: 43 });
  console.log(others.map(({ account, kind, since }) => `${account} ${kind} ${since.toISOString()}`), given.consoleHolders(target).length);
  await given.console(target, { kind: 'vnc', viewOnly: true });
  await given.console(target, { kind: 'shell' });
  // @ts-expect-error: a kind of console that there is not
  await given.console(target, { kind: 'telnet' });
  // @ts-expect-error: a size has rows, too
  resize({ columns: 80 });
  // @ts-expect-error: a request hands no screen over: its connection is text
  await ({} as Context).console(target, 'vnc');
}

/** Beyond power: what a work takes and gives goes by its name. */
export async function works(given: Actor, target: Target, signal: AbortSignal): Promise<void> {
  const call: WorkRequest = { deadline: 1000, signal, maxAge: 1000, once: 'tonight-1', begun: (task) => console.log(task.length) };
  await given.work('image.create', 'kvm1', { name: 'disk1', size: 1024n ** 3n, format: 'qcow2' }, call);
  const [image] = await given.work('image.list', 'kvm1', {});
  exactly<bigint>()(image!.capacity);
  const args: WorkArgs<'template.deploy'> = { template: 'debian', name: 'web7', settings: { memory: 1024n ** 3n } };
  exactly<string>()(await given.planWork('template.deploy', 'kvm1', args, { signal }));
  exactly<readonly WorkName[]>()(given.works('kvm1'));
  exactly<readonly WorkName[]>()(given.works(target));
  const hardware: WorkResult<'hardware.read'> = await given.work('hardware.read', target, {});
  exactly<number>()(hardware.vcpus);
  await given.work('machine.migrate', target, { to: 'kvm2' });
  const kept: WorkResult<'route.add'> = await given.work('route.add', 'kvm1', { destination: '192.0.2.0', prefix: 24, interface: 'eth0', rollback: 60_000, force: false });
  exactly<string | undefined>()(kept.keptBy);
  exactly<string>()('' as WorkSubject<'image.list'>);
  exactly<InstanceRef>()(target as WorkSubject<'hardware.read'>);
  // @ts-expect-error: a work that there is not
  await given.work('image.burn', 'kvm1', {});
  // @ts-expect-error: it is done to a provider
  await given.work('image.list', target, {});
  // @ts-expect-error: it is done to an instance
  await given.work('hardware.read', 'kvm1', {});
  // @ts-expect-error: sizes are BigInts
  await given.work('image.create', 'kvm1', { name: 'disk1', size: 1024, format: 'raw' });
  // @ts-expect-error: a format that there is not
  await given.work('image.create', 'kvm1', { name: 'disk1', size: 1024n, format: 'floppy' });
  // @ts-expect-error: a setting that is no setting of it
  await given.work('hardware.change', target, { colour: 'red' });
  // @ts-expect-error: where it goes is a provider's name: how to get there is no caller's to say
  await given.work('machine.migrate', target, { destination: { provider: 'kvm2', access: {} } });
  // @ts-expect-error: how a change of the network is guarded has to be said
  await given.work('gateway.set', 'kvm1', { gateway: '192.0.2.1', interface: 'eth0' });
  // @ts-expect-error: what it gives cannot be written to
  image!.name = 'another';
}

/** The works of the table in the document, by what it says that they are done to. */
export const onTargets = ['template.preview', 'template.create', 'machine.delete', 'machine.migrate', 'hardware.read', 'hardware.change'] as const satisfies readonly WorkName[];
export const onProviders = [
  'image.list', 'image.create', 'image.delete', 'template.list', 'template.describe', 'template.deploy', 'template.delete', 'machine.limits', 'machine.install',
  'volume.groups', 'volume.list', 'route.list', 'route.add', 'route.replace', 'route.delete', 'gateway.read', 'gateway.set', 'bridge.list', 'bridge.add', 'bridge.change',
  'bridge.delete', 'bridge.add-member', 'bridge.delete-member', 'stats.host', 'stats.guests',
] as const satisfies readonly WorkName[];
export function everyWork(
  target: WorkSubject<(typeof onTargets)[number]>,
  provider: WorkSubject<(typeof onProviders)[number]>,
  name: (typeof onTargets | typeof onProviders)[number],
): void {
  exactly<InstanceRef>()(target);
  exactly<string>()(provider);
  exactly<WorkName>()(name);
}

export async function tasks(given: Actor): Promise<void> {
  for (const { id, account, operation, instance, since, doing } of given.tasks.list()) console.log(id, account, operation, instance, since.getTime(), doing);
  console.log(given.tasks.get('17')?.instance);
  given.tasks.cancel('17');
  const [first]: readonly WorkTask[] = await given.tasks.works();
  const one = await given.tasks.work(first!.id);
  exactly<'running' | 'done' | 'failed' | 'cancelled' | 'unknown'>()(one.state);
  exactly<WorkName>()(one.operation);
  console.log(one.account, one.subject, one.options, one.progress.toFixed(2), new Date(one.began), one.ended === undefined, one.detail);
  const end: () => void = given.tasks.onWork((task) => console.log(task.progress));
  end();
  // @ts-expect-error: it may still be under way
  void new Date(one.ended);
  // @ts-expect-error: nothing may be written to it
  one.state = 'done';
}

export async function orders(given: Actor, on: readonly Target[]): Promise<void> {
  const order = await given.orders.begin(on, { action: 'stop', mode: 'soft', wait: true }, 'tonight-1');
  exactly<'running' | 'done' | 'failed' | 'cancelled' | 'unknown'>()(order.state);
  console.log(order.id, order.account, order.action, order.mode, order.began, order.ended, (await given.orders.list()).length);
  for (const { instance, state, detail } of (await given.orders.get(order.id)).targets) {
    exactly<'waiting' | 'sent' | 'done' | 'already' | 'failed' | 'uncertain' | 'cancelled'>()(state);
    console.log(instance, detail);
  }
  await given.orders.cancel(order.id);
  given.orders.onChange(({ id }) => console.log(id))();
  // @ts-expect-error: a key has to be said: what is asked for twice is begun once
  await given.orders.begin(on, { action: 'stop', mode: 'soft', wait: true });
  // @ts-expect-error: a reading is no order
  await given.orders.begin(on, { action: 'status', mode: 'soft', wait: true }, 'tonight-1');
}

export async function events(given: Actor, signal: AbortSignal): Promise<void> {
  const watch = await given.watch({ names: ['web*'], types: ['state', 'added', 'removed', 'action', 'provider', 'plan', 'server'] });
  for await (const { cursor, events: came } of watch.batches(signal)) {
    for (const { cursor: at, time, facts } of came) if (facts.type === 'state') console.log(at, time.toISOString(), facts.instance, facts.before, facts.now);
    await given.watch({}, cursor);
  }
  await (await given.watch({}, watch.cursor)).follow(signal, async ({ events: came }) => console.log(came.length));
  for (const { facts } of await given.lastEvents({ types: ['action'] }, 10)) {
    // @ts-expect-error: what an event tells goes by its type
    void facts.outcome;
    if (facts.type === 'action') console.log(facts.command, facts.outcome, facts.auditId);
  }
  // @ts-expect-error: a type that there is not
  await given.watch({ types: ['weather'] });
  // @ts-expect-error: how many has to be said
  await given.lastEvents({});
}

export async function record(given: Actor): Promise<void> {
  exactly<number>()(await given.record({ action: 'File_Delete', subject: '/srv/x' }, async () => 7, (thrown) => (thrown instanceof Error ? thrown.message : undefined)));
  const { rows, before } = await given.audit({ account: 'steve', instance: 'kvm1/lj', since: 0, until: Date.now(), before: 17, most: 100 });
  exactly<number | undefined>()(before);
  for (const { id, at, account, from, command, instance, options: typed, outcome, ms } of rows)
    console.log(id, at, account, from, command, instance, typed, outcome, ms);
  // @ts-expect-error: what is done, and to what, has to be said
  await given.record({ action: 'File_Delete' }, async () => 7);
  // @ts-expect-error: rows are what was written down
  rows[0]!.account = 'kim';
}

export async function plans(given: Actor, signal: AbortSignal): Promise<void> {
  for (const { name, isHeld, run: last } of await given.plans.list()) console.log(name, isHeld, last?.state);
  for await (const { stage, instance, state, words, isRefused } of given.plans.preview('night', signal)) console.log(stage, instance, state, words, isRefused);
  const { id } = await given.plans.run('night');
  for await (const { run: now, stages, targets: some } of given.plans.follow(id, signal)) console.log(now.state, stages.length, some.length);
  console.log((await given.plans.runs()).length, (await given.plans.status(id)).run.cause);
  const { cancelled, undo } = await given.plans.cancel(id, { undo: true });
  console.log(cancelled.state, undo?.id);
  await given.plans.resume(id);
  await given.plans.hold('night');
  await given.plans.release('night');
  // @ts-expect-error: whether it is to be undone has to be said
  await given.plans.cancel(id);
}

export async function fleet(given: Actor): Promise<void> {
  const view = await given.fleet.view();
  for (const { name, trouble, providers } of view?.sites ?? []) console.log(name, trouble, providers.map((one) => `${one.name} ${one.held}`));
  // @ts-expect-error: there may be no fleet
  void view.sites;
}

/** Errors. */
export function fail(phrase: Phrase): never {
  exactly<boolean>()(Object.hasOwn(PHRASES, phrase));
  if (phrase === 'BUSY') throw new ArgoError('BUSY', 'come back at two', { cause: new Error('lunch') });
  if (phrase === 'BAD REQUEST') throw new SettingsFault({ size: 'must be more than none' });
  throw new ArgoError(phrase);
}
export function caught(thrown: unknown): string {
  if (thrown instanceof SettingsFault) return Object.entries(thrown.faults).map(([name, words]) => `${name}: ${words}`).join();
  if (!(thrown instanceof ArgoError)) return '';
  exactly<Phrase>()(thrown.phrase);
  return thrown.message;
}
// @ts-expect-error: a phrase that there is not
export const phrase = new ArgoError('OUT OF PAPER', 'fetch some');
// @ts-expect-error: an error needs a phrase
export const noPhrase = new ArgoError();

/** Operations are named as grants and the audit name them. */
export const operations: readonly OperationName[] = ['start', 'status', 'autostart', 'console.open', 'console.view', 'console.shell', 'dmesg', 'tag.add', 'image.create'];
