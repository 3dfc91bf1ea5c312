/** What goes into the packages, and where to: a line a file or folder. */

/** Where the program is; paths of the package have no slash in front. */
export const HOME = 'usr/lib/argo-server';
export const DOC = 'usr/share/doc/argo-server';
/** Where Debian's tools look for what a package says of itself, by its own name. @param {string} name */
export const saidIn = (name) => `usr/share/doc/${name}`;
/** In the package that brings its Node along. */
export const BUNDLED_NODE = `${HOME}/node`;
/** What lintian is told of a package. @param {string} name */
export const overridesOf = (name) => `usr/share/lintian/overrides/${name}`;
/** Where systemd looks for units. */
export const UNIT_HOME = 'lib/systemd/system';
/** Units of systemd, from the folder etc. */
export const UNITS = [
  { name: 'argo-server.service', document: 'operating.md', page: 'argo-server(8)' },
  { name: 'argo-mqtt.service', document: 'integrations/home-assistant.md', page: 'argo-mqtt(8)' },
];
/** The configuration that comes along. In an image it is where the server looks for it. */
export const CONF = { from: 'etc/argo-server.conf', to: 'etc/argo-server/argo-server.conf' };
/** Where a Debian package has it: its postinst copies it. `argo-server account` writes it, and what a program writes is no conffile. */
const CONF_TEMPLATE = 'usr/share/argo-server/argo-server.conf';

/**
 * @typedef {object} Row
 * @property {string} from below the project's folder; a folder goes with all that is in it
 * @property {string} to below the root
 * @property {RegExp} [without] paths below a folder that stay out
 * @property {boolean} [programs] false: what says which program is to run it is no program all the same
 */

/** @type {Row[]} */
export const FILES = [
  { from: 'bin', to: `${HOME}/bin` },
  // what V8 makes of code is made for the place where it was built, and for that processor
  { from: 'dist/bundle', to: `${HOME}/dist/bundle`, without: /\.kept$/ },
  { from: 'dist/web', to: `${HOME}/dist/web` },
  { from: 'src/protocols/dcom/helper.py', to: `${HOME}/src/protocols/dcom/helper.py` },
  { from: 'docs', to: DOC, without: /\.png$/ },
  { from: 'SECURITY.md', to: `${DOC}/SECURITY.md` },
  { from: CONF.from, to: CONF_TEMPLATE },
  { from: 'integrations/python/argo', to: 'usr/lib/python3/dist-packages/argo', without: /__pycache__/ },
  { from: 'integrations/fence/fence_argo', to: 'usr/sbin/fence_argo' },
  { from: 'integrations/nagios/check_argo', to: 'usr/lib/nagios/plugins/check_argo' },
  // a copy of it will hold a password
  { from: 'integrations/powerman/argo.dev', to: 'usr/share/argo-server/powerman/argo.dev' },
];

/** Whether it is in all that runs, and not in the Debian package alone. @param {Row} row */
export const isProgram = ({ to }) => to.startsWith(`${HOME}/`);

/** Where Ansible looks for collections that were not installed by a user. */
export const COLLECTION_HOME = 'usr/share/ansible/collections/ansible_collections/argo/power';

/** What goes into the Ansible collection: its modules run where nothing of ours is, so the Python module comes along. @type {Row[]} */
export const COLLECTION = [
  { from: 'integrations/ansible', to: '.', without: /__pycache__|^galaxy\.yml$/, programs: false },
  { from: 'integrations/python/argo', to: 'plugins/module_utils/argo', without: /__pycache__/ },
];
/** What it has beside where it is no part of another package. @type {Row[]} */
export const COLLECTION_ALONE = [{ from: 'LICENSE', to: 'LICENSE' }, { from: 'CHANGELOG.md', to: 'CHANGELOG.md' }];

/** Commands, as links to programs of the package. @type {Record<string, string>} */
export const LINKS = {
  'usr/sbin/argo-server': '../lib/argo-server/bin/argo-server.js',
  'usr/bin/argo': '../lib/argo-server/bin/argo.js',
  'usr/bin/argo-mqtt': '../lib/argo-server/bin/argo-mqtt.js',
};

/**
 * What the configuration says otherwise in an image: who is let in from outside is for its publisher to say, and there is no
 * systemd. Each is a text that is there, and what takes its place.
 * @type {[from: string, to: string][]}
 */
export const IMAGE_SETTINGS = [
  [
    '# Only this machine can connect. For others, prefer tls-listen: a plain connection shows passwords to\n# the network.\nlisten = ["127.0.0.1:20203"]',
    '# Whom the port is published to can connect: with --publish 127.0.0.1:20203:20203 that is this machine\n# alone. For others, prefer tls-listen: a plain connection shows passwords to the network.\nlisten = ["0.0.0.0:20203"]',
  ],
  ['systemctl reload argo-server    takes it on', 'podman kill --signal HUP argo   takes it on'],
  ['root:argo, mode 0640.', 'of 10001, mode 0640.'],
];

/** What the client prints for a shell, by the name that the shell looks for. @type {Record<string, string>} */
export const COMPLETIONS = {
  '/bin/bash': 'usr/share/bash-completion/completions/argo',
  '/bin/zsh': 'usr/share/zsh/vendor-completions/_argo',
  '/bin/fish': 'usr/share/fish/vendor_completions.d/argo.fish',
};

/** Packages that only compiled others. */
export const BUILD_ONLY = ['buildcheck', 'nan', 'node-addon-api', 'prebuild-install'];

/** What packages have beside what runs: types, and what is for their authors. */
export const LEFT_OUT = [
  /\.(?:d\.[cm]?ts|ts|map|flow|patch|tgz|md|markdown|ya?ml|html|css|min\.js|cmd|sh)$/i,
  /(?:^|\/)(?:Makefile|\.[^/]+|[jt]sconfig[^/]*\.json|(?:eslint|rollup|webpack|vite|vitest|jest|karma)\.[^/]*|(?:Grunt|Gulp|Cake)file[^/]*)$/i,
  /^(?:c|tests?|__tests__|docs?|examples?|benchmarks?|bench|coverage|\.[^/]+)\//,
];
/** The same where native code was compiled. */
export const COMPILED_LEFT_OUT = [
  /\.(?:c|cc|cpp|cxx|h|hpp|gypi?|mk|o|a|d|py)$/i,
  /(?:^|\/)build\/(?!Release\/[^/]+\.node$)/,
  /^(?:deps|src)\/.*\.(?!js$)[^/]*$/,
];
/** Kept whatever the above says: the terms that a package comes under, as it asks for. */
export const TERMS = /(?:^|\/)(?:licen[cs]e|copying|notice|authors)[^/]*$/i;
/** Native code that is another system's, or a test's. @param {string} path */
export const isForeign = (path) => /(?:^|\/)test_extension\.node$/.test(path)
  || (path.startsWith('prebuilds/') && !(path.startsWith(`prebuilds/${process.platform}-${process.arch}/`) && !path.includes('musl')));
