import tseslint from 'typescript-eslint';

/**
 * Imports point one way: server → auth, plugins → instances → drivers → protocols. Each room lists
 * the rooms it must not look into; what is not listed (errors, limits, text) everyone may use.
 */
const FORBIDDEN = {
  protocols: ['server', 'auth', 'plugins', 'instances', 'drivers', 'config', 'store', 'client', 'daemon'],
  drivers: ['server', 'auth', 'plugins', 'instances', 'store', 'client', 'daemon'],
  store: ['server', 'auth', 'plugins', 'instances', 'drivers', 'protocols', 'config', 'client', 'daemon'],
  instances: ['server', 'plugins', 'protocols', 'client', 'daemon'],
  auth: ['server', 'plugins', 'drivers', 'protocols', 'client', 'daemon'],
  plugins: ['server', 'drivers', 'protocols', 'store', 'client', 'daemon'],
  server: ['drivers', 'protocols', 'client', 'daemon'],
  client: ['server', 'auth', 'plugins', 'instances', 'drivers', 'protocols', 'store', 'daemon'],
};

const directions = Object.entries(FORBIDDEN).map(([room, others]) => ({
  files: [`src/${room}/**/*.ts`],
  rules: {
    '@typescript-eslint/no-restricted-imports': ['error', {
      patterns: [{
        // a type reaches no machine: the words of the field may be spoken everywhere
        allowTypeImports: true,
        regex: `^(\\.\\./)+(${others.join('|')})/`,
        message: `src/${room} must not import from there: see "Layout" in CONTRIBUTING.md.`,
      }],
    }],
  },
}));

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'var/', '.tap/'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-restricted-syntax': ['error', {
        selector: 'PropertyDefinition[accessibility="private"], MethodDefinition[kind!="constructor"][accessibility="private"], TSParameterProperty[accessibility="private"]',
        message: 'What is private is #private: TypeScript\'s own `private` ends where the program runs.',
      }],
    },
  },
  { files: ['src/**/*.ts'], rules: { 'max-lines': ['error', 400], 'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }] } },
  { files: ['test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.js', 'bin/*.js'], rules: { 'no-console': 'off' } },
  ...directions,
);
