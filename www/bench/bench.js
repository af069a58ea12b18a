// The bench page: loads a model, measures it with `engine.bench`, and says what share of the adapter's limits that is.
// tools/bench.mjs opens it too, and reads `globalThis.report`.

import { Cresset } from '../cresset.js';

const byId = (id) => document.getElementById(id);
const number = (digits) => (value) => value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const [whole, tenths] = [number(0), number(1)];

/** Label, and the text of a report; null where there is nothing to say. @type {[string, (result: any) => string | null][]} */
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
  ['Answer, of the reading limit', ({ report }) => report.ceilings && `${whole(100 * report.share_of_stream)} %`],
  ['Prompt, of the arithmetic limit', ({ report }) => report.ceilings && `${whole(100 * report.share_of_fma)} %`],
];

byId('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  byId('run').disabled = true;
  try {
    show(await measure());
    byId('state').textContent = 'Done.';
  } catch (error) {
    byId('state').textContent = `${error.code ?? error.name}: ${error.message}`;
    globalThis.report = { error: byId('state').textContent };
  } finally {
    byId('run').disabled = false;
  }
});

async function measure() {
  const start = performance.now();
  const engine = await Cresset.load(byId('model').value.trim(), {
    device: byId('device').value,
    onProgress: ({ text }) => {
      byId('state').textContent = `${text}…`;
    },
  });
  const loadSeconds = (performance.now() - start) / 1000;
  byId('state').textContent = 'Measuring…';
  try {
    const [prompt, generate] = ['prompt', 'generate'].map((id) => byId(id).valueAsNumber);
    const report = await engine.bench({ prompt, generate, ceilings: true });
    return { model: engine.info.model, device: engine.info.device, variants: engine.info.variants, loadSeconds, report };
  } finally {
    await engine.unload();
  }
}

function show(result) {
  const { model, device } = result;
  byId('results').caption.textContent =
    `${model.name} (${model.quantization}) on ${device.description || device.architecture || device.backend}, ${device.backend}`;
  byId('results').tBodies[0].replaceChildren(
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
  byId('whole').querySelector('pre').textContent = JSON.stringify(result, null, 2);
  byId('results').hidden = byId('whole').hidden = false;
  globalThis.report = result;
}
