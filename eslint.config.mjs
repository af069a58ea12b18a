// What eslint says of the JavaScript: its recommended rules, and those that this code keeps beside them.

import js from '@eslint/js';
import globals from 'globals';

const rules = {
  eqeqeq: 'error',
  'no-var': 'error',
  'object-shorthand': 'error',
  'prefer-const': 'error',
  'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none', ignoreRestSiblings: true }],
};

export default [
  { ignores: ['dist/', 'target/'] },
  js.configs.recommended,
  { rules, linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['www/**/*.js', 'examples/**/*.js'],
    ignores: ['www/sw.js', 'www/worker/capture.js'],
    languageOptions: { globals: { ...globals.browser, ...globals.worker } },
  },
  // The engine's own JavaScript.
  { files: ['src/**/*.js'], languageOptions: { globals: { ...globals.browser, GPUBufferUsage: 'readonly', GPUShaderStage: 'readonly' } } },
  { files: ['**/*.mjs'], languageOptions: { globals: globals.node } },
  { files: ['www/worker/capture.js'], languageOptions: { globals: globals.audioWorklet } },
  { files: ['www/sw.js'], languageOptions: { globals: globals.serviceworker } },
  // Functions in these files run in pages of the browser, too, with globals that a test puts there.
  { files: ['tests/**/*.{js,mjs}', 'tools/**/*.mjs'], languageOptions: { globals: { ...globals.browser, ...globals.node } }, rules: { 'no-undef': 'off' } },
];
