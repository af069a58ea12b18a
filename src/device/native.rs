//! The native executor: pipelines, bind groups and replay through wgpu.

use super::direct3d::Compiler;
use super::gpu_core::{Core, PARAMS_STRIDE, adapter as open_adapter, params_arena};
use super::info::DeviceInfo;
use super::kernel::{Access, Features, Kernel, Options};
use super::limits::Limits;
use super::plan::{Plan, Step};
use super::tuning::PACKED_DOT;
use super::unpack_f16::UnpackF16;
use crate::error::{Error, Result};
use std::cell::RefCell;
use std::collections::HashMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

/// The lines that a text needs which uses these features. naga has no line for subgroups.
fn prologue(features: Features) -> &'static str {
    if features.f16 { "enable f16;\n" } else { "" }
}

pub type Submission = wgpu::SubmissionIndex;

/// Pipelines by what their text is made of, and one layout for each list of accesses.
pub struct Backend {
    layouts: RefCell<HashMap<&'static [Access], wgpu::BindGroupLayout>>,
    pipelines: RefCell<HashMap<Module, wgpu::ComputePipeline>>,
    /// Those that are being compiled.
    pending: RefCell<HashMap<Module, mpsc::Receiver<wgpu::ComputePipeline>>>,
}

/// A kernel's name, and what else its text is made of.
type Module = (&'static str, Options, UnpackF16);

/// A plan whose pipelines are being compiled, in threads of their own.
pub struct Compiling {
    plan: Plan,
    /// The shader module of each step.
    modules: Vec<Module>,
}

/// A plan whose every object exists.
pub struct Compiled {
    steps: Vec<(wgpu::ComputePipeline, wgpu::BindGroup, [u32; 3])>,
}

impl Backend {
    pub fn new(_device: &wgpu::Device) -> Self {
        Backend { layouts: RefCell::default(), pipelines: RefCell::default(), pending: RefCell::default() }
    }

    /// Begins to compile the pipelines that are not there yet, on all cores: some drivers take seconds for one.
    pub fn begin_compile(&self, core: &Core, plan: Plan) -> Compiling {
        let (mut pending, made) = (self.pending.borrow_mut(), self.pipelines.borrow());
        let modules: Vec<Module> = plan.steps.iter().map(|step| module(step, core.common.tuning.unpack_f16)).collect();
        let mut tasks = Vec::new();
        for (step, module) in plan.steps.iter().zip(&modules) {
            if !made.contains_key(module) && !pending.contains_key(module) {
                let (sender, receiver) = mpsc::channel();
                tasks.push((step.kernel, module.clone(), self.layout(core, step.kernel.bindings), sender));
                pending.insert(module.clone(), receiver);
            }
        }
        core.common.count(|c| c.pipelines += tasks.len() as u64);
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(tasks.len());
        let tasks = Arc::new(Mutex::new(tasks.into_iter()));
        for _ in 0..threads {
            let (tasks, device) = (tasks.clone(), core.device.clone());
            thread::spawn(move || {
                let next = || tasks.lock().expect("no panic while held").next();
                while let Some((kernel, module, layout, sender)) = next() {
                    let _ = sender.send(pipeline(&device, kernel, &module, &layout)); // a plan that was dropped needs none
                }
            });
        }
        Compiling { plan, modules }
    }

    pub async fn finish_compile(&self, core: &Core, Compiling { plan, modules }: Compiling) -> Result<Compiled> {
        let arena = params_arena(&plan);
        let params = core.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("parameters"),
            size: arena.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        core.queue.write_buffer(&params, 0, &arena);
        let mut steps = Vec::with_capacity(plan.steps.len());
        for (i, (step, module)) in plan.steps.iter().zip(modules).enumerate() {
            let layout = self.layout(core, step.kernel.bindings);
            let pipeline = self.finished_pipeline(module)?;
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
                resource: core.buffers[id.0 as usize].as_entire_binding(),
            });
            let entries: Vec<_> = std::iter::once(uniform).chain(buffers).collect();
            let group = core.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(step.kernel.name),
                layout: &layout,
                entries: &entries,
            });
            core.common.count(|c| c.bind_groups += 1);
            steps.push((pipeline, group, step.grid));
        }
        Ok(Compiled { steps })
    }

    /// A pipeline that [`Self::begin_compile`] has begun, once it is there.
    fn finished_pipeline(&self, module: Module) -> Result<wgpu::ComputePipeline> {
        if let Some(receiver) = self.pending.borrow_mut().remove(&module) {
            let pipeline = receiver.recv().map_err(|_| Error::Internal(format!("compiling {} panicked", module.0)))?;
            self.pipelines.borrow_mut().insert(module.clone(), pipeline);
        }
        Ok(self.pipelines.borrow()[&module].clone())
    }

    fn layout(&self, core: &Core, bindings: &'static [Access]) -> wgpu::BindGroupLayout {
        let mut layouts = self.layouts.borrow_mut();
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
            core.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
        };
        layouts.entry(bindings).or_insert_with(make).clone()
    }

    /// One encoder, one pass and one submit for each `dispatches` of the plan; after the last `bytes` of `from` are copied to the
    /// read-back buffer.
    pub fn replay(
        &self,
        core: &Core,
        plan: &Compiled,
        dispatches: usize,
        (from, to, bytes): (&wgpu::Buffer, &wgpu::Buffer, u64),
    ) -> Submission {
        let mut parts = plan.steps.chunks(dispatches).peekable();
        loop {
            let mut encoder = core.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for (pipeline, group, [x, y, z]) in parts.next().unwrap_or_default() {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, group, &[]);
                pass.dispatch_workgroups(*x, *y, *z);
            }
            drop(pass);
            let is_last = parts.peek().is_none();
            if is_last {
                encoder.copy_buffer_to_buffer(from, 0, to, 0, bytes);
            }
            let submission = core.queue.submit([encoder.finish()]);
            if is_last {
                return submission;
            }
        }
    }

    /// Blocks until the submission's callbacks have run.
    pub fn finish(&self, core: &Core, submission: Submission) {
        // A lost device reports through its callback; there is nothing else to do here.
        let _ = core.device.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None });
    }

    /// Waits for all that was submitted; errors have arrived by then.
    pub async fn settle(&self, core: &Core) {
        // As above.
        let _ = core.device.poll(wgpu::PollType::wait_indefinitely());
    }
}

/// The machine's best adapter, and what compiles its shaders where there is a choice.
pub async fn best_adapter() -> Option<(wgpu::Adapter, Option<String>)> {
    let options = |compiler: &Compiler| wgpu::BackendOptions {
        dx12: wgpu::Dx12BackendOptions { shader_compiler: compiler.option(), ..Default::default() },
        ..Default::default()
    };
    // With a compiler that does not load there is no Direct3D 12, and another backend would take its place.
    let mut compiler = Compiler::Fxc;
    if let Some(dxc) = Compiler::dxc()
        && open_adapter(options(&dxc), wgpu::Backends::DX12).await.is_some()
    {
        compiler = dxc;
    }
    let adapter = open_adapter(options(&compiler), wgpu::Backends::PRIMARY).await?;
    let chosen = (adapter.get_info().backend == wgpu::Backend::Dx12).then(|| compiler.name());
    Some((adapter, chosen))
}

pub fn describe(
    adapter: &wgpu::Adapter,
    device: &wgpu::Device,
    limits: Limits,
    compiler: Option<String>,
) -> DeviceInfo {
    let info = adapter.get_info();
    let features = device.features();
    let has_subgroups = features.contains(wgpu::Features::SUBGROUP);
    let offered = [
        // naga writes them for every driver, in several instructions where there is no single one; for FXC in many.
        (compiler.as_ref() != Some(&Compiler::Fxc.name()), PACKED_DOT),
        (features.contains(wgpu::Features::SHADER_F16), "shader-f16"),
        (has_subgroups, "subgroups"),
    ];
    // Metal names no vendor.
    let is_apple = info.backend == wgpu::Backend::Metal && info.name.starts_with("Apple");
    DeviceInfo {
        backend: format!("{:?}", info.backend).to_lowercase(),
        vendor: if is_apple { "apple" } else { vendor(info.vendor) }.to_string(),
        architecture: info.driver.clone(),
        description: info.name.clone(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        software: info.device_type == wgpu::DeviceType::Cpu,
        compiler,
        features: offered.iter().filter(|(has, _)| *has).map(|(_, name)| name.to_string()).collect(),
        subgroup_size: has_subgroups.then_some(info.subgroup_min_size),
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

fn module(step: &Step, unpack_f16: UnpackF16) -> Module {
    (step.kernel.name, step.options.clone(), unpack_f16)
}

fn pipeline(
    device: &wgpu::Device,
    kernel: &Kernel,
    (name, options, unpack_f16): &Module,
    layout: &wgpu::BindGroupLayout,
) -> wgpu::ComputePipeline {
    let wgsl = kernel.wgsl(options, *unpack_f16, prologue(options.features));
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(wgsl.into()),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(name),
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(name),
        layout: Some(&layout),
        module: &module,
        entry_point: Some(name),
        compilation_options: wgpu::PipelineCompilationOptions {
            // Kernels store what they read; zeroing 16 KiB by single stores takes some compilers minutes to compile.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    })
}

pub fn submitted(index: wgpu::SubmissionIndex) -> Submission {
    index
}
