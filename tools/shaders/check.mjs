// Each translated module through its system's compiler: node tools/shaders/check.mjs FOLDER [--dxc LIBRARY]
//
// FOLDER is what `cargo run --example wgsl -- … --translated FOLDER` wrote. SPIR-V goes through spirv-val, Metal's text through
// clang with metal.h in place of Metal's library (types and names, not Metal itself), HLSL through DXC to DXIL, which DXC
// validates. Exit status 1 and the first of each kind of complaint where there is one.
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const [folder, flag, dxc] = process.argv.slice(2);
if (!folder || (flag && flag !== '--dxc')) throw new Error('usage: check.mjs FOLDER [--dxc LIBRARY]');

const complaints = new Map(); // kind → { count, first }
function complain(tool, file, message) {
  const kind = `${tool}: ${message.replace(/type_\d+|%\d+|\d+/g, 'N').slice(0, 160)}`;
  const known = complaints.get(kind) ?? { count: 0, first: `${path.basename(file)}: ${message.slice(0, 400)}` };
  complaints.set(kind, { ...known, count: known.count + 1 });
}

// What a program that gets `input` says on both outputs, and whether it is content.
const said = (program, args, input) =>
  new Promise((resolve) => {
    const child = execFile(program, args, { maxBuffer: 1 << 26 }, (error, out, err) => resolve({ ok: !error, text: err + out }));
    child.stdin.on('error', () => {}); // it may have seen enough
    child.stdin.end(input);
  });

async function vulkan(file) {
  const { ok, text } = await said('spirv-val', ['--target-env', file.match(/(vulkan[\d.]+)\.spv$/)[1], file]);
  if (!ok) complain('spirv-val', file, text.trim().split('\n')[0]);
}

const clang = ['clang', 'clang-19', 'clang-16', 'clang-14'].find((name) => {
  try {
    return (execFileSync(name, ['--version'], { stdio: 'ignore' }), true);
  } catch {
    return false;
  }
});
const CLANG = [
  '-target',
  'aarch64-linux-gnu',
  '-ffreestanding',
  '-x',
  'c++',
  '-std=c++17',
  '-fsyntax-only',
  '-Wno-everything',
  '-include',
  path.join(HERE, 'metal.h'),
  '-',
];

async function metal(file) {
  const text = fs
    .readFileSync(file, 'utf8')
    .replace(/#include <.*>/g, '')
    .replace('using metal::uint;', '')
    .replace(/(?<![\w:])(?:metal::)?((?:uint|int|float|half)[234])\(/g, 'make<$1>(')
    .replaceAll('static_cast<', 'converted<');
  const { text: answer } = await said(clang, CLANG, text);
  for (const line of answer.split('\n')) if (line.includes(' error: ')) complain('metal', file, line.split(' error: ')[1]);
}

// dxc.cpp, compiled against the header beside the library; it reads a line a file and answers one.
async function direct3d(files) {
  const program = path.join(folder, 'dxc');
  execFileSync('c++', ['-O1', '-std=c++17', '-I', path.dirname(dxc), path.join(HERE, 'dxc.cpp'), '-o', program, '-ldl']);
  const version = execFileSync(program, [dxc], { input: '', encoding: 'utf8' }).trim();
  if (Number(version.split('.')[1]) < 9 && version.startsWith('1.')) {
    // Older versions make invalid code of them (microsoft/DirectXShaderCompiler#7400); such a DXC is not used.
    const packed = files.filter((file) => fs.readFileSync(file, 'utf8').includes('dot4add'));
    report.push(`${packed.length} packed products left out of DXC ${version}`);
    files = files.filter((file) => !packed.includes(file));
  }
  const jobs = os.cpus().map((_, i, { length }) => files.filter((_, j) => j % length === i));
  await Promise.all(
    jobs.map(async (files) => {
      const child = spawn(program, [dxc], { stdio: ['pipe', 'pipe', 'inherit'] });
      for (const file of files) {
        const [first] = fs.readFileSync(file, 'utf8').split('\n', 1); // "// entry"
        child.stdin.write(`${file}\t${first.slice(3)}\tcs_${file.match(/(6_\d)\.hlsl$/)[1]}\n`);
      }
      child.stdin.end();
      let answers = -1; // the first line is the version
      for await (const line of readline.createInterface(child.stdout)) {
        if (answers++ < 0) continue;
        const [file, status, message = ''] = line.split('\t');
        if (status !== 'ok') complain('dxc', file, message || status);
      }
      if (answers < files.length) complain('dxc', files[answers], 'the compiler ended');
    }),
  );
}

async function each(files, check) {
  const rest = files.values();
  await Promise.all(
    os.cpus().map(async () => {
      for (const file of rest) await check(file);
    }),
  );
}

const names = fs
  .readdirSync(folder)
  .sort()
  .map((name) => path.join(folder, name));
const of = (pattern) => names.filter((name) => pattern.test(name));
const report = [];
async function part(name, files, check) {
  const start = Date.now();
  if (files.length === 0) throw new Error(`${folder} has nothing for ${name}`);
  await check(files);
  report.push(`${name} ${files.length} in ${Math.round((Date.now() - start) / 1000)} s`);
}
await part('spirv-val', of(/\.spv$/), (files) => each(files, vulkan));
if (clang) await part('clang', of(/\.metal$/), (files) => each(files, metal));
if (dxc) await part('DXC', of(/\.6_\d\.hlsl$/), direct3d);

const total = [...complaints.values()].reduce((sum, { count }) => sum + count, 0);
console.log(`${report.join(', ')}: ${total} complaints`);
for (const [kind, { count, first }] of [...complaints].sort((a, b) => b[1].count - a[1].count).slice(0, 8))
  console.log(`  ${count} × ${kind.split(':')[0]}, ${first}`);
process.exitCode = total > 0 ? 1 : 0;
