#!/usr/bin/env node
// A static file server for the page: right MIME types, byte ranges, nothing kept in caches. Node's library only.
//
//   node tools/serve.mjs [folder] [port]        folder: dist, port: 8080 (the next free one when that is taken)
//
// Tests use `serve()` directly: several roots (the first that has a file wins), extra headers, routes of their own.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What makes a page cross-origin isolated, where threads may share memory; other sites may still show and use all of it. */
export const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'cross-origin',
};

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.gguf': 'application/octet-stream',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jinja': 'text/plain; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.safetensors': 'application/octet-stream',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.ts': 'text/plain; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
};

/**
 * Serves folders on 127.0.0.1 (or `host`) until `close()`.
 * @param {object} options
 * @param {string[]} options.roots    folders, searched in this order
 * @param {number} [options.port]     0 takes any free port
 * @param {string} [options.host]
 * @param {Record<string, string>} [options.headers]   added to every answer
 * @param {Record<string, (request, response) => void>} [options.routes]   by path, before the folders are searched
 * @returns {Promise<{ url: string, port: number, requests: { method: string, path: string, range?: string }[], close: () => Promise<void> }>}
 */
export async function serve({ roots, port = 0, host = '127.0.0.1', headers = {}, routes = {} }) {
  const folders = roots.map((root) => resolve(root));
  const requests = [];
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries({ 'Cache-Control': 'no-store', ...headers })) response.setHeader(name, value);
    answer(folders, routes, requests, request, response).catch(() => {
      if (!response.headersSent) response.statusCode = 500;
      response.end();
    });
  });
  await new Promise((done, failed) => server.once('error', failed).listen(port, host, done));
  const bound = server.address().port;
  return {
    url: `http://${host === '127.0.0.1' ? 'localhost' : host}:${bound}/`,
    port: bound,
    requests,
    close: () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  };
}

async function answer(folders, routes, requests, request, response) {
  const path = decodePath(request.url);
  requests.push({ method: request.method, path, range: request.headers.range });
  if (path === null) return plain(response, 400, 'bad request');
  if (routes[path]) return routes[path](request, response);
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(response, 405, 'method not allowed');
  for (const folder of folders) {
    const file = await findFile(folder, path);
    if (file) return sendFile(file, request, response);
  }
  plain(response, 404, 'not found');
}

function decodePath(url) {
  try {
    return decodeURIComponent(new URL(url, 'http://host').pathname);
  } catch {
    return null;
  }
}

async function findFile(folder, path) {
  const full = join(folder, path.endsWith('/') ? `${path}index.html` : path);
  if (path.includes('\0') || !full.startsWith(folder + sep)) return null;
  const info = await stat(full).catch(() => null);
  return info?.isFile() ? { full, size: info.size, changed: info.mtimeMs } : null;
}

function sendFile({ full, size, changed }, request, response) {
  const etag = `"${size.toString(36)}-${Math.floor(changed).toString(36)}"`;
  response.setHeader('Content-Type', TYPES[extname(full)] ?? 'application/octet-stream');
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('ETag', etag);
  // What a client has part of may have changed since: then it gets all of it.
  const current = [undefined, etag].includes(request.headers['if-range']);
  const range = current ? parseRange(request.headers.range, size) : null;
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${size}`);
    return plain(response, 416, 'range not satisfiable');
  }
  const [start, end] = range ?? [0, size - 1];
  response.statusCode = range ? 206 : 200;
  response.setHeader('Content-Length', end - start + 1);
  if (range) response.setHeader('Content-Range', `bytes ${start}-${end}/${size}`);
  if (request.method === 'HEAD' || size === 0) return response.end();
  createReadStream(full, { start, end })
    .on('error', () => response.destroy())
    .pipe(response);
}

/** One range of RFC 9110: `[first, last]`, null to send everything, or 'unsatisfiable'. */
function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start >= size) return 'unsatisfiable';
  return start <= end ? [start, end] : null;
}

function plain(response, status, text) {
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(`${text}\n`);
}

async function main([folder = 'dist', port = '8080']) {
  const info = await stat(folder).catch(() => null);
  if (!info?.isDirectory()) throw new Error(`there is no folder ${folder}; build the page first`);
  for (let candidate = Number(port); ; candidate += 1) {
    try {
      const { url } = await serve({ roots: [folder], port: candidate, headers: ISOLATED });
      console.log(`Cresset is at ${url} (stop with Ctrl+C)`);
      return;
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || candidate >= Number(port) + 20) throw error;
    }
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
