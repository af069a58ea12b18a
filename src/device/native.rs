//! The native executor: pipelines, bind groups and replay through wgpu.

use super::gpu::{Gpu, PARAMS_STRIDE, params_arena};
use super::{Access, DeviceInfo, Features, Kernel, Limits, PACKED_DOT, Plan};
use crate::error::Result;
use std::cell::RefCell;
use std::collections::HashMap;
use std::iter;
use std::num::NonZeroU64;

/// The lines that a text needs which uses these features. naga has no line for subgroups.
fn prologue(features: Features) -> &'static str {
    if features.f16 { "enable f16;\n" } else { "" }
}

pub type Submission = wgpu::SubmissionIndex;

/// Pipelines by their WGSL text, and one layout for each list of accesses.
pub struct Backend {
    layouts: RefCell<HashMap<&'static [Access], wgpu::BindGroupLayout>>,
    pipelines: RefCell<HashMap<String, wgpu::ComputePipeline>>,
}

impl Backend {
    pub fn new(_device: &wgpu::Device) -> Self {
        Backend { layouts: RefCell::default(), pipelines: RefCell::default() }
    }
}

/// A plan whose every object exists.
pub struct Compiled {
    steps: Vec<(wgpu::ComputePipeline, wgpu::BindGroup, [u32; 3])>,
}

impl Compiled {
    pub fn dispatches(&self) -> u64 {
        self.steps.len() as u64
    }
}

pub fn describe(adapter: &wgpu::Adapter, device: &wgpu::Device, limits: Limits) -> DeviceInfo {
    let info = adapter.get_info();
    let features = device.features();
    let named = [(wgpu::Features::SHADER_F16, "shader-f16"), (wgpu::Features::SUBGROUP, "subgroups")];
    let named = named.iter().filter(|(f, _)| features.contains(*f)).map(|(_, n)| n.to_string());
    DeviceInfo {
        backend: format!("{:?}", info.backend).to_lowercase(),
        vendor: vendor(info.vendor).to_string(),
        architecture: info.driver.clone(),
        description: info.name.clone(),
        software: info.device_type == wgpu::DeviceType::Cpu,
        // The compiler of WGSL offers packed products everywhere, in several instructions where the adapter has none.
        features: iter::once(PACKED_DOT.to_string()).chain(named).collect(),
        subgroup_size: features.contains(wgpu::Features::SUBGROUP).then_some(info.subgroup_min_size),
        limits,
        ..DeviceInfo::default()
    }
}

/// PCI vendor ids (and Khronos's id for Mesa) in words.
fn vendor(id: u32) -> &'static str {
    match id {
        0x10de => "nvidia",
        0x1002 => "amd",
        0x8086 => "intel",
        0x106b => "apple",
        0x13b5 => "arm",
        0x5143 => "qualcomm",
        0x10005 => "mesa",
        _ => "unknown",
    }
}

/// wgpu compiles at once.
pub type Compiling = Compiled;

pub async fn finish_compile(_gpu: &Gpu, compiling: Compiling) -> Result<Compiled> {
    Ok(compiling)
}

pub fn begin_compile(gpu: &Gpu, plan: Plan) -> Compiling {
    let arena = params_arena(&plan);
    let params = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("parameters"),
        size: arena.len() as u64,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue.write_buffer(&params, 0, &arena);
    let mut steps = Vec::with_capacity(plan.steps.len());
    for (i, step) in plan.steps.iter().enumerate() {
        let layout = layout(gpu, step.kernel.bindings);
        let pipeline =
            pipeline(gpu, step.kernel, &step.kernel.wgsl(&step.options, prologue(step.options.features)), &layout);
        let uniform = wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &params,
                offset: i as u64 * PARAMS_STRIDE,
                size: NonZeroU64::new(PARAMS_STRIDE),
            }),
        };
        let buffers = step.bindings.iter().enumerate().map(|(i, id)| wgpu::BindGroupEntry {
            binding: i as u32 + 1,
            resource: gpu.buffers[id.0 as usize].as_entire_binding(),
        });
        let entries: Vec<_> = std::iter::once(uniform).chain(buffers).collect();
        let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(step.kernel.name),
            layout: &layout,
            entries: &entries,
        });
        gpu.count(|c| c.bind_groups += 1);
        steps.push((pipeline, group, step.grid));
    }
    Compiled { steps }
}

fn layout(gpu: &Gpu, bindings: &'static [Access]) -> wgpu::BindGroupLayout {
    let mut layouts = gpu.backend.layouts.borrow_mut();
    let make = || {
        let entries: Vec<_> = bindings
            .iter()
            .enumerate()
            .map(|(i, access)| wgpu::BindGroupLayoutEntry {
                binding: i as u32,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match access {
                        Access::Uniform => wgpu::BufferBindingType::Uniform,
                        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                        Access::Write => wgpu::BufferBindingType::Storage { read_only: false },
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
    };
    layouts.entry(bindings).or_insert_with(make).clone()
}

fn pipeline(gpu: &Gpu, kernel: &Kernel, wgsl: &str, layout: &wgpu::BindGroupLayout) -> wgpu::ComputePipeline {
    if let Some(pipeline) = gpu.backend.pipelines.borrow().get(wgsl) {
        return pipeline.clone();
    }
    let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(kernel.name),
        source: wgpu::ShaderSource::Wgsl(wgsl.into()),
    });
    let layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(kernel.name),
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(kernel.name),
        layout: Some(&layout),
        module: &module,
        entry_point: Some(kernel.name),
        compilation_options: Default::default(),
        cache: None,
    });
    gpu.count(|c| c.pipelines += 1);
    gpu.backend.pipelines.borrow_mut().insert(wgsl.to_string(), pipeline.clone());
    pipeline
}

/// One encoder, one pass, one submit; then `bytes` of `from` are copied to the read-back buffer.
pub fn replay(gpu: &Gpu, plan: &Compiled, (from, to, bytes): (&wgpu::Buffer, &wgpu::Buffer, u64)) -> Submission {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    for (pipeline, group, [x, y, z]) in &plan.steps {
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, group, &[]);
        pass.dispatch_workgroups(*x, *y, *z);
    }
    drop(pass);
    encoder.copy_buffer_to_buffer(from, 0, to, 0, bytes);
    gpu.queue.submit([encoder.finish()])
}

pub fn submitted(index: wgpu::SubmissionIndex) -> Submission {
    index
}

/// Blocks until the submission's callbacks have run.
pub fn finish(gpu: &Gpu, submission: Submission) {
    // A lost device reports through its callback; there is nothing else to do here.
    let _ = gpu.device.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None });
}

/// Waits for all that was submitted; errors have arrived by then.
pub async fn settle(gpu: &Gpu) {
    // As above.
    let _ = gpu.device.poll(wgpu::PollType::wait_indefinitely());
}
