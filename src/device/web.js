// Raw WebGPU beside wgpu: asynchronous pipelines, bind groups made once, and a whole plan replayed in one call.

const caches = new WeakMap(); // GPUDevice → { layouts, pipelines }

const cacheOf = (device) => {
  if (!caches.has(device)) caches.set(device, { layouts: new Map(), pipelines: new Map() });
  return caches.get(device);
};

const BUFFER_TYPES = { u: 'uniform', r: 'read-only-storage', w: 'storage' };

// `accesses`: one letter a binding, u(niform) r(ead) w(rite).
function layoutFor(device, { layouts }, accesses) {
  if (!layouts.has(accesses)) {
    const entries = [...accesses].map((access, binding) => (
      { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type: BUFFER_TYPES[access] } }));
    const group = device.createBindGroupLayout({ entries });
    layouts.set(accesses, { group, pipeline: device.createPipelineLayout({ bindGroupLayouts: [group] }) });
  }
  return layouts.get(accesses);
}

// modules: [{ name, code, accesses }]; steps: [{ module, buffers, grid }]; params: their uniform structs, `stride` bytes apart.
export async function compile(device, modules, steps, params, stride) {
  const cache = cacheOf(device);
  let made = 0;
  const arena = device.createBuffer({ size: params.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(arena, 0, params);
  const compiled = steps.map(({ module: index, buffers, grid }, i) => {
    const { name, code, accesses } = modules[index];
    const layout = layoutFor(device, cache, accesses);
    if (!cache.pipelines.has(code)) {
      made++;
      const module = device.createShaderModule({ label: name, code });
      const pipeline = device.createComputePipelineAsync({ label: name, layout: layout.pipeline, compute: { module, entryPoint: name } });
      cache.pipelines.set(code, pipeline);
      pipeline.catch(() => cache.pipelines.delete(code));
    }
    const group = device.createBindGroup({
      label: name,
      layout: layout.group,
      entries: [
        { binding: 0, resource: { buffer: arena, offset: i * stride, size: stride } },
        ...buffers.map((buffer, b) => ({ binding: b + 1, resource: { buffer } })),
      ],
    });
    return { pipeline: cache.pipelines.get(code), group, grid };
  });
  // All pipelines compile at the same time.
  for (const step of compiled) step.pipeline = await step.pipeline;
  return { steps: compiled, made };
}

// One encoder, one pass and one submit for each `dispatches` of the plan; after the last `bytes` of `from` go to the read-back
// buffer `to`.
export function replay(device, { steps }, dispatches, from, to, bytes) {
  let at = 0;
  do {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const end = Math.min(at + dispatches, steps.length);
    for (; at < end; at++) {
      const { pipeline, group, grid } = steps[at];
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    }
    pass.end();
    if (at === steps.length) encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
    device.queue.submit([encoder.finish()]);
  } while (at < steps.length);
}

export function describe(device) {
  const { vendor = '', architecture = '', description = '', device: name = '', subgroupMinSize = null, isFallbackAdapter = false } = device.adapterInfo ?? {};
  const software = isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|warp/i.test(`${architecture} ${description} ${name}`);
  // Of the language's features, the one that kernels know.
  const packed = 'packed_4x8_integer_dot_product';
  const language = navigator.gpu.wgslLanguageFeatures?.has(packed) ? [packed] : [];
  return JSON.stringify({ vendor, architecture, description: description || name, software, features: [...device.features, ...language].sort(), subgroup_size: device.features.has('subgroups') ? subgroupMinSize : null });
}

export const settled = (device) => device.queue.onSubmittedWorkDone();
