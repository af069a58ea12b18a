// The bench page: loads a model, measures it with `engine.bench`, and says what share of the adapter's limits that is.
// tools/bench.mjs opens it too, and reads `globalThis.report`.

import { Cresset } from '../cresset.js';

/**
 * @typedef {object} Ids   of bench.html
 * @property {HTMLFormElement} form
 * @property {HTMLButtonElement} run
 * @property {HTMLInputElement} model
 * @property {HTMLSelectElement} device
 * @property {HTMLInputElement} prompt
 * @property {HTMLInputElement} generate
 * @property {HTMLElement} state
 * @property {HTMLTableElement} results
 * @property {HTMLElement} whole
 *
 * @typedef {Awaited<ReturnType<typeof measure>>} Result
 */

/** @template {keyof Ids} I @param {I} id @returns {Ids[I]} */
const byId = (id) => /** @type {any} */ (document.getElementById(id));
const number = (/** @type {number} */ digits) => (/** @type {number} */ value) =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const [whole, tenths] = [number(0), number(1)];

/** Label, and the text of a report; null where there is nothing to say. @type {[string, (result: Result) => string | null | undefined][]} */
const ROWS = [
  ['Loading', ({ loadSeconds }) => `${number(2)(loadSeconds)} s`],
  ['Prompt', ({ report }) => `${tenths(report.prefill_tokens_per_s)} tokens/s`],
  ['First token', ({ report }) => `after ${whole(report.time_to_first_token_s * 1000)} ms`],
  ['Answer', ({ report }) => `${tenths(report.decode_tokens_per_s)} tokens/s`],
  [
    'A token',
    ({ report }) =>
      `${tenths(report.dispatches_per_token)} dispatches, ${tenths(report.submits_per_token)} submissions, ${whole(report.bytes_read_per_token)} bytes read back, ${tenths(report.weight_bytes / 1e6)} MB of weights`,
  ],
  ['Made in a whole run', ({ report }) => `${whole(report.objects_made)} buffers, bind groups and pipelines`],
  ['Adapter: reading', ({ report }) => report.ceilings && `${tenths(report.ceilings.stream_gb_per_s)} GB/s at most`],
  ['Adapter: arithmetic', ({ report }) => report.ceilings && `${whole(report.ceilings.fma_gflop_per_s)} GFLOP/s at most`],
  ['Adapter: a dispatch', ({ report }) => report.ceilings && `${tenths(report.ceilings.dispatch_us)} µs`],
  ['Adapter: a read-back', ({ report }) => report.ceilings && `${whole(report.ceilings.readback_us)} µs`],
  ['Answer, of the reading limit', ({ report }) => (report.share_of_stream ? `${whole(100 * report.share_of_stream)} %` : null)],
  ['Prompt, of the arithmetic limit', ({ report }) => (report.share_of_fma ? `${whole(100 * report.share_of_fma)} %` : null)],
];

byId('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  byId('run').disabled = true;
  try {
    show(await measure());
    byId('state').textContent = 'Done.';
  } catch (/** @type {any} */ error) {
    byId('state').textContent = `${error.code ?? error.name}: ${error.message}`;
    Object.assign(globalThis, { report: { error: byId('state').textContent } });
  } finally {
    byId('run').disabled = false;
  }
});

async function measure() {
  const start = performance.now();
  const engine = await Cresset.load(byId('model').value.trim(), {
    device: /** @type {import('../cresset.js').Device} */ (byId('device').value),
    onProgress: ({ text }) => {
      byId('state').textContent = `${text}…`;
    },
  });
  const loadSeconds = (performance.now() - start) / 1000;
  byId('state').textContent = 'Measuring…';
  try {
    const [prompt, generate] = [byId('prompt').valueAsNumber, byId('generate').valueAsNumber];
    const report = await engine.bench({ prompt, generate, ceilings: true });
    return { model: engine.info.model, device: engine.info.device, variants: engine.info.variants, loadSeconds, report };
  } finally {
    await engine.unload();
  }
}

/** @param {Result} result */
function show(result) {
  const { model, device } = result;
  const table = byId('results');
  const text = JSON.stringify(result, null, 2);
  if (table.caption)
    table.caption.textContent = `${model.name} (${model.quantization}) on ${device.description || device.architecture || device.backend}, ${device.backend}`;
  table.tBodies[0].replaceChildren(
    ...ROWS.flatMap(([label, text]) => {
      const value = text(result);
      if (!value) return [];
      const [row, head, cell] = ['tr', 'th', 'td'].map((name) => document.createElement(name));
      Object.assign(head, { scope: 'row', textContent: label });
      cell.textContent = value;
      row.append(head, cell);
      return [row];
    }),
  );
  byId('whole').querySelector('pre')?.replaceChildren(text);
  table.hidden = byId('whole').hidden = false;
  Object.assign(globalThis, { report: result });
}
