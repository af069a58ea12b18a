// React without a build step. Its npm package has CommonJS files only; they run as modules once `exports` and `require` are
// there. A site with a bundler has no use for this file: it imports 'react' and 'react-dom/client'.

const FOLDER = '../../../node_modules/';
const FILES = {
  'react': 'react/cjs/react.production.js',
  'scheduler': 'scheduler/cjs/scheduler.production.js',
  'react-dom': 'react-dom/cjs/react-dom.production.js',
  'react-dom/client': 'react-dom/cjs/react-dom-client.production.js',
};

const loaded = {};
globalThis.require = (name) => loaded[name];
for (const [name, file] of Object.entries(FILES)) {
  globalThis.exports = loaded[name] = {};
  await import(FOLDER + file);
}

export const { createElement, useEffect, useRef, useState } = loaded.react;
export const { createRoot } = loaded['react-dom/client'];
