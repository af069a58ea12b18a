// Under Wine: node.exe windows.mjs MODULES RESULTS. Each module through Dawn for Windows, as in Chrome: Tint's HLSL, then Microsoft's FXC
// or, with DXIL set, DXC. RESULTS gets a line a module: name, `ok`, `left out` or `refused`, milliseconds, message. It goes on behind
// the module at which it ended, which counts as refused; a last line says `end`.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
require('./windows.node');
const dawn = require('./package/dist/win32-x64/dawn.node');
Object.assign(globalThis, dawn.globals);

const [folder, results] = process.argv.slice(2);
const byDxc = Boolean(process.env.DXIL);
const note = (...fields) => fs.appendFileSync(results, `${fields.join('\t').replace(/\s*[\r\n]+\s*/g, ' ')}\n`);
const done = new Set(
  fs.existsSync(results)
    ? fs
        .readFileSync(results, 'utf8')
        .split('\n')
        .map((line) => line.split('\t', 1)[0])
    : [],
);
const begun = `${results}.begun`; // the module that is being compiled
if (fs.existsSync(begun)) {
  const name = fs.readFileSync(begun, 'utf8');
  if (!done.has(name)) note(name, 'refused', 0, 'it ended the compiler');
  done.add(name);
}

globalThis.gpu = dawn.create(['backend=d3d12', 'enable-dawn-features=allow_unsafe_apis']); // events end with it
const adapter = await gpu.requestAdapter();
const limits = ['maxComputeWorkgroupStorageSize', 'maxStorageBuffersPerShaderStage', 'maxComputeInvocationsPerWorkgroup'];
const device = await adapter.requestDevice({
  requiredFeatures: ['shader-f16', 'subgroups'].filter((name) => adapter.features.has(name)),
  requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
});

async function compile(code, entryPoint) {
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  const error = messages.find(({ type }) => type === 'error');
  if (error) throw new Error(`WGSL: ${error.message}`);
  await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint } });
}

for (const file of fs.readdirSync(folder)) {
  const name = file.replace(/\.wgsl$/, '');
  if (name === file || done.has(name)) continue;
  const facts = JSON.parse(fs.readFileSync(`${folder}/${name}.json`, 'utf8'));
  if (!byDxc && (facts.f16 || facts.subgroups)) {
    // not offered where FXC compiles
    note(name, 'left out');
    continue;
  }
  const code = `${facts.subgroups ? 'enable subgroups;\n' : ''}${fs.readFileSync(`${folder}/${file}`, 'utf8')}`;
  fs.writeFileSync(begun, name);
  const start = performance.now();
  const message = await compile(code, facts.name).then(
    () => '',
    (error) => error.message,
  );
  const accepted = message === '' || (byDxc && /creating pipeline state failed with E_NOTIMPL/.test(message));
  note(name, accepted ? 'ok' : 'refused', Math.round(performance.now() - start), accepted ? '' : message.slice(0, 400));
}
fs.rmSync(begun, { force: true });
note('#', 'end');
process.exit(0);
