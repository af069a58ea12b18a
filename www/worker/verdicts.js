// What self-tests found out about this device's graphics adapter, kept for later visits. Where nothing can be kept, each
// load finds it out again.

const CACHE = 'cresset self-test';
const ADDRESS = 'https://self-test.invalid/verdicts';
const MOST = 24; // an adapter has one for each format; older builds' go

/** @typedef {{ key: string }} Verdict   the rest is the engine's to read */

/** @returns {Promise<Verdict[]>} newest first */
export async function readVerdicts() {
  try {
    const kept = await (await caches.open(CACHE)).match(ADDRESS);
    const verdicts = await kept?.json();
    return Array.isArray(verdicts) ? verdicts.filter((verdict) => typeof verdict?.key === 'string') : [];
  } catch {
    return [];
  }
}

/** @param {Verdict} verdict */
export async function keepVerdict(verdict) {
  try {
    const others = (await readVerdicts()).filter(({ key }) => key !== verdict.key);
    const text = JSON.stringify([verdict, ...others].slice(0, MOST));
    await (await caches.open(CACHE)).put(ADDRESS, new Response(text, { headers: { 'Content-Type': 'application/json' } }));
  } catch {
    // A private window, perhaps.
  }
}
