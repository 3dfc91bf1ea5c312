import stylistic from '@stylistic/eslint-plugin';
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

/**
 * How sources look. `npm run format` puts right what can be put right by itself. Where a list or a condition is
 * broken into lines stays with whoever writes it: a table keeps its rows then.
 */
const layout = [
  stylistic.configs.customize({ semi: true, quoteProps: 'as-needed', arrowParens: true, braceStyle: '1tbs', jsx: true }),
  {
    rules: {
      // in .mts files a comma behind the only type parameter is syntax
      '@stylistic/comma-dangle': ['error', {
        arrays: 'always-multiline', objects: 'always-multiline', imports: 'always-multiline', exports: 'always-multiline',
        functions: 'always-multiline', enums: 'always-multiline', tuples: 'always-multiline', generics: 'ignore',
      }],
      '@stylistic/generator-star-spacing': ['error', { before: false, after: true, method: 'neither' }],
      '@stylistic/jsx-one-expression-per-line': 'off',
      '@stylistic/list-style': 'off',
      '@stylistic/max-len': ['error', {
        code: 160, ignoreComments: true, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true,
      }],
      '@stylistic/max-statements-per-line': ['error', { max: 3 }],
      '@stylistic/multiline-ternary': 'off',
      '@stylistic/no-mixed-operators': 'off',
      '@stylistic/quotes': ['error', 'single', { avoidEscape: true, allowTemplateLiterals: 'always' }],
      '@stylistic/yield-star-spacing': ['error', { before: false, after: true }],
    },
  },
];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'var/', '.tap/'] },
  ...tseslint.configs.recommended,
  ...layout,
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
