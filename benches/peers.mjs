// Cresset beside its peers: an engine of the peers' benchmark, with every prompt computed anew and each device by itself.
// Model file: <modelUrl>/model-<quant>.gguf; the library is served as /dist/.
let Cresset, engine;

export const name = 'cresset';
export const variants = {};
for (const quant of ['q4_0', 'q8_0', 'f16']) {
  variants[`cpu-${quant}-1t`] = { quant, device: 'cpu', threads: 1 };
  variants[`cpu-${quant}-2t`] = { quant, device: 'cpu', threads: 2 };
  variants[`webgpu-${quant}`] = { quant, device: 'webgpu' };
}

export async function load(modelUrl, { quant, ...options }) {
  ({ Cresset } = await import('/dist/cresset.js'));
  engine = await Cresset.load(`${modelUrl}/model-${quant}.gguf`, { ...options, cache: false });
  return engine.info;
}

export async function generate(ids, n, { onToken }) {
  const out = [];
  const stream = await engine.completions.create({
    prompt: ids, max_tokens: n, temperature: 0, ignore_eos: true, return_token_ids: true, cache_prompt: false, stream: true,
  });
  for await (const chunk of stream) {
    const got = chunk.choices[0]?.token_ids ?? [];
    if (got.length) { out.push(...got); onToken(got.length); }
  }
  return out;
}

export const unload = () => engine?.unload();
