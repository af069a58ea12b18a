// A graphics device that ends when a test says so. Workers of the engine's listen to the channel `faults`: `[what, n]` ends their
// devices at the nth call of `what` from then on, or at once for 0. They answer `ready`, and `ended` when it has happened.

import { readFileSync } from 'node:fs';
import { DIST } from './engine.mjs';

/** Runs before the worker, whose names are its own. */
const faults = (phase) => `{
  const channel = new BroadcastChannel('faults');
  const devices = [];
  let [what, left] = ${JSON.stringify(phase)};
  const call = (name) => {
    if (name !== what || (left -= 1) > 0) return;
    what = null;
    for (const device of devices) device.destroy();
    channel.postMessage('ended');
  };
  channel.onmessage = ({ data }) => {
    if (!Array.isArray(data)) return;
    [what, left] = data;
    if (left === 0) call(what);
    channel.postMessage('ready');
  };
  const wrap = (prototype, method, name) => {
    const original = prototype[method];
    prototype[method] = function (...options) {
      call(name);
      return original.apply(this, options);
    };
  };
  wrap(GPUQueue.prototype, 'writeBuffer', 'writeBuffer');
  wrap(GPUQueue.prototype, 'submit', 'submit');
  wrap(GPUDevice.prototype, 'createComputePipeline', 'pipeline');
  wrap(GPUDevice.prototype, 'createComputePipelineAsync', 'pipeline');
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...options) {
    const device = await requestDevice.apply(this, options);
    devices.push(device);
    call('opened');
    setTimeout(() => call('opening'));
    return device;
  };
}
`;

/** Workers that the context's pages start end their devices as they are told, or in `phase()`, where there is one. */
export function injectFaults(context, phase = () => undefined) {
  const worker = readFileSync(`${DIST}/worker/worker.js`, 'utf8');
  return context.route('**/worker.js', (route) => route.fulfill({ contentType: 'text/javascript', body: faults(phase() ?? [null, 0]) + worker }));
}
