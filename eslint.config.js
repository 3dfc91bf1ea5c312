import tseslint from 'typescript-eslint';
import { MAY_USE } from './scripts/imports.js';

/** Each room may look only where scripts/imports.js says; said here too, so that an editor shows it at once. */
const ROOMS = [...Object.keys(MAY_USE), 'daemon'];
const directions = Object.entries(MAY_USE).map(([room, others]) => ({
  files: [`src/${room}/**/*.{ts,tsx}`],
  rules: {
    '@typescript-eslint/no-restricted-imports': ['error', {
      patterns: [{
        regex: `^(\\.\\./)+(${ROOMS.filter((other) => other !== room && !others.includes(other)).join('|')})/`,
        message: `src/${room} must not import from there: see docs/architecture.md.`,
      }],
    }],
  },
}));

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'var/', '.tap/'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
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
  { files: ['src/**/*.{ts,tsx}'], rules: { 'max-lines': ['error', 400], 'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }] } },
  { files: ['test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.js', 'bin/*.js'], rules: { 'no-console': 'off' } },
  // CommonJS, as bin/package.json says
  { files: ['bin/*.js'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
  ...directions,
);
