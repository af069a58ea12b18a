// Hugging Face's hub: where its files are, and what it says their SHA-256 is.

import { bodyOf, downloadError, request } from './http.js';

export const HUB = 'https://huggingface.co';

/** The address of a file. @param {string} repo @param {string} revision @param {string} file */
export function hubFile(repo, revision, file) {
  return `${HUB}/${repo}/resolve/${encodeURIComponent(revision)}/${file.split('/').map(encodeURIComponent).join('/')}`;
}

/**
 * What the list of a repository's files says: their names, and the hashes of the large ones. A name that leads out of the repository
 * is none of its files.
 * @param {string} url   of the list
 * @param {string} text
 * @returns {Map<string, string | undefined>}
 */
export function filesIn(url, text) {
  let listed;
  try {
    listed = JSON.parse(text).siblings;
  } catch {
    // It is no list.
  }
  if (!Array.isArray(listed)) throw downloadError(url, `${new URL(url).host} answered without a list of the repository's files`);
  const named = listed.filter((file) => typeof file?.rfilename === 'string' && !/(^|[/\\])\.\.?([/\\]|$)/.test(file.rfilename));
  return new Map(named.map(({ rfilename, lfs }) => [rfilename, typeof lfs?.sha256 === 'string' ? lfs.sha256 : undefined]));
}

/**
 * The SHA-256 of the file at this address, or null where that is none of the hub's, or the hub does not say. The answer to
 * the download itself has it in the headers of a redirect, which pages cannot read; but it is in the pointer that stands for
 * a large file in git: three lines.
 * @param {string} url
 * @param {AbortSignal} [signal]
 */
export async function hashAt(url, signal) {
  const { origin, pathname } = new URL(url);
  const [, repo, path] = /^(\/[^/]+\/[^/]+)\/resolve\/(.+)$/.exec(pathname) ?? [];
  if (origin !== HUB || !repo) return null;
  try {
    const pointer = `${HUB}${repo}/raw/${path}`;
    const reader = bodyOf(pointer, await request(pointer, { signal, store: false })).getReader();
    const { value = new Uint8Array(0) } = await reader.read();
    reader.cancel().catch(() => {});
    return /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n/.exec(new TextDecoder().decode(value))?.[1] ?? null;
  } catch (error) {
    if (signal?.aborted) throw error;
    return null;
  }
}
