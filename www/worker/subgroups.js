// Devices get the browser's `subgroups` feature where their adapter has it. Import for effect, before the engine starts.
//
// wgpu asks only for features it knows, and the browser's `subgroups` is not among them: ask on its behalf.
const requestDevice = globalThis.GPUAdapter?.prototype.requestDevice;
if (requestDevice) {
  GPUAdapter.prototype.requestDevice = function (descriptor = {}) {
    const features = new Set(descriptor.requiredFeatures ?? []);
    if (this.features.has('subgroups')) features.add('subgroups');
    return requestDevice.call(this, { ...descriptor, requiredFeatures: [...features] });
  };
}
