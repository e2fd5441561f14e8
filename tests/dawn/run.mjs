// Runs the jobs that `langevin doctor --export DIR` wrote through Dawn, or compiles the WGSL files of a folder with Tint.
//
//   node run.mjs jobs DIR      leaves DIR/N.out beside every DIR/N.in
//   node run.mjs compile DIR   compiles every DIR/*.wgsl
//
// Ends with exit code 1 where Dawn finds fault with anything.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);

// naga knows subgroups without a word; Tint wants it first. What subgroupAll returns counts as non-uniform in Tint, though
// all invocations of a subgroup get the same: a branch on it may hold other subgroup functions.
function tint(wgsl) {
  const enable = /\bsubgroup/.test(wgsl) ? 'enable subgroups;\n' : '';
  const uniform = /\bsubgroupAll\(/.test(wgsl) ? 'diagnostic(off, subgroup_uniformity);\n' : '';
  return enable + uniform + wgsl;
}

// 64-bit integers are an extension of naga's, for devices with SHADER_INT64: no WebGPU has them.
const beyondWebGpu = (wgsl) => /\bu64\b/.test(wgsl);

// Dawn ends with the last reference to it, whatever is still in use.
const dawn = create([]);

async function open() {
  const adapter = await dawn.requestAdapter();
  if (!adapter) throw new Error('Dawn finds no adapter');
  const wanted = ['shader-f16', 'subgroups'].filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({ requiredFeatures: wanted });
  const { description, device: name } = adapter.info;
  console.log(`Dawn on ${description || name}: ${wanted.join(', ')}`);
  return device;
}

async function compile(device, wgsl) {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: tint(wgsl) });
  const scope = device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  // A warning of Tint's is as good as an error: nothing of ours needs one.
  const faults = messages.map(({ type, lineNum, message }) => `${type} in line ${lineNum}: ${message}`);
  const error = await scope;
  if (error && !faults.length) faults.push(error.message);
  return { module, faults };
}

function buffer(device, words, usage) {
  const made = device.createBuffer({ size: Math.max(words.byteLength, 16), usage, mappedAtCreation: true });
  new Uint32Array(made.getMappedRange()).set(words);
  made.unmap();
  return made;
}

/// The pipeline of a module; each is made once.
async function pipelineOf(device, pipelines, wgsl) {
  if (!pipelines.has(wgsl)) {
    const make = async () => {
      const { module, faults } = await compile(device, wgsl);
      if (faults.length) throw new Error(faults.join('\n'));
      return device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
    };
    pipelines.set(wgsl, make());
  }
  return pipelines.get(wgsl);
}

/// Records one run of a job; the buffer that will hold what is in its buffers afterwards.
function record(device, encoder, job, stages, words) {
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
  const buffers = new Map();
  let at = 0;
  for (const { name, words: length, bind } of job.buffers) {
    buffers.set(name, { made: buffer(device, words.subarray(at, at + length), storage), bind, at, length });
    at += length;
  }
  for (const [i, { params, bindings, ranges, workgroups }] of job.stages.entries()) {
    const uniform = buffer(device, Uint32Array.from(params), GPUBufferUsage.UNIFORM);
    const entries = bindings.map((name, i) => {
      const { made, bind } = buffers.get(name);
      const { start, end } = ranges[i] ?? { start: 0, end: bind.end - bind.start };
      return { binding: i + 1, resource: { buffer: made, offset: bind.start + start, size: end - start } };
    });
    entries.push({ binding: 0, resource: { buffer: uniform } });
    const pass = encoder.beginComputePass();
    pass.setPipeline(stages[i]);
    pass.setBindGroup(0, device.createBindGroup({ layout: stages[i].getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(...workgroups);
    pass.end();
  }
  const back = device.createBuffer({ size: at * 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  for (const { made, at: to, length } of buffers.values()) encoder.copyBufferToBuffer(made, 0, back, to * 4, length * 4);
  return back;
}

/// Both runs of a job, submitted; resolves to the bytes for its file.
async function run(device, pipelines, job, words) {
  const stages = await Promise.all(job.stages.map(({ wgsl }) => pipelineOf(device, pipelines, wgsl)));
  // From here to the end of the scopes nothing waits: jobs run side by side, and scopes belong to the device.
  for (const filter of ['validation', 'internal', 'out-of-memory']) device.pushErrorScope(filter);
  const encoder = device.createCommandEncoder();
  const half = words.length / 2;
  const runs = [words.subarray(0, half), words.subarray(half)];
  const backs = runs.map((words) => record(device, encoder, job, stages, words));
  device.queue.submit([encoder.finish()]);
  const scopes = [0, 1, 2].map(() => device.popErrorScope());
  const errors = (await Promise.all(scopes)).filter((error) => error);
  if (errors.length) throw new Error(errors.map(({ message }) => message).join('\n'));
  await Promise.all(backs.map((back) => back.mapAsync(GPUMapMode.READ)));
  const bytes = Buffer.concat(backs.map((back) => Buffer.from(back.getMappedRange().slice(0))));
  for (const back of backs) back.destroy();
  return bytes;
}

async function runJobs(device, folder) {
  const jobs = JSON.parse(readFileSync(join(folder, 'jobs.json'), 'utf8'));
  const pipelines = new Map();
  let failed = 0;
  const one = async (job, number) => {
    const bytes = readFileSync(join(folder, `${number}.in`));
    const words = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    try {
      writeFileSync(join(folder, `${number}.out`), await run(device, pipelines, job, words));
    } catch (error) {
      failed += 1;
      console.error(`job ${number}, ${job.kernel} by ${job.variant}: ${job.descriptor}\n${error.message}`);
    }
  };
  // Waiting costs a core here, so many wait together.
  const together = 32;
  for (let first = 0; first < jobs.length; first += together) {
    await Promise.all(jobs.slice(first, first + together).map((job, i) => one(job, first + i)));
  }
  console.log(`${jobs.length - failed} of ${jobs.length} jobs ran`);
  return failed === 0 && jobs.length > 0;
}

async function compileAll(device, folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.wgsl'));
  let [failed, skipped] = [0, 0];
  for (const file of files) {
    const wgsl = readFileSync(join(folder, file), 'utf8');
    if (beyondWebGpu(wgsl)) {
      skipped += 1;
      continue;
    }
    const { faults } = await compile(device, wgsl);
    if (faults.length) {
      failed += 1;
      console.error(`${file}:\n${faults.join('\n')}`);
    }
  }
  const tried = files.length - skipped;
  console.log(`${tried - failed} of ${tried} shaders compile; ${skipped} more use 64-bit integers, which WebGPU lacks`);
  return failed === 0 && tried > 0;
}

const [command, folder] = process.argv.slice(2);
const device = await open();
const passed = command === 'jobs' ? await runJobs(device, folder) : await compileAll(device, folder);
process.exit(passed ? 0 : 1);
