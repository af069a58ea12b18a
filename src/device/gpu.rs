//! wgpu's device and buffers, natively and in the browser; pipelines and replay are `native.rs`'s and `web.rs`'s.

use super::buffers::{BufferId, Usage};
use super::common::{Common, RUN_AHEAD, Ticket};
use super::gpu_core::Core;
use super::limits::Limits;
#[cfg(not(target_arch = "wasm32"))]
use super::native as backend;
use super::plan::Plan;
use super::timer::Timer;
use super::tuning::{PACKED_DOT, Tuning};
#[cfg(target_arch = "wasm32")]
use super::web as backend;
use crate::error::{Error, MemoryLimit, Result};
use futures_channel::oneshot;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use web_time::Instant;

/// A plan that is being compiled.
pub struct Compiling {
    plan: backend::Compiling,
    grids: Vec<[u32; 3]>,
}

/// A plan whose every object exists.
pub struct Compiled {
    plan: backend::Compiled,
    /// Workgroups of each dispatch.
    grids: Vec<[u32; 3]>,
    timer: Rc<Timer>,
}

impl Compiled {
    /// Seconds that it takes, once it was run.
    pub fn seconds(&self) -> Option<f64> {
        self.timer.seconds()
    }
}

/// Simulated seconds of a submit, given its dispatches' grids: in place of measured ones, for tests.
pub type Simulation = Rc<dyn Fn(&[[u32; 3]]) -> f64>;

/// Bytes of one read-back buffer of the ring.
const RING_BYTES: u64 = 256;

pub struct Gpu {
    pub core: Core,
    /// Ids given back, for the next buffers.
    freed: Vec<BufferId>,
    backend: backend::Backend,
    ring: Vec<wgpu::Buffer>,
    in_flight: RefCell<VecDeque<InFlight>>,
    next: Cell<usize>,
    /// When the last run that was waited for had ended.
    ended: Cell<Option<Instant>>,
    pub simulation: Option<Simulation>,
    failure: Arc<Mutex<Option<Error>>>,
    /// Open from an allocation until the next [`Gpu::check`]: out of memory is an error, not a lost device.
    allocations: RefCell<Option<wgpu::ErrorScopeGuard>>,
}

struct InFlight {
    ring: usize,
    bytes: u64,
    submission: backend::Submission,
    mapped: Mapped,
    started: Instant,
    timer: Rc<Timer>,
    /// Seconds in place of those that it really takes.
    simulated: Option<f64>,
}

/// Resolves when a buffer is mapped, with the time when that was.
type Mapped = oneshot::Receiver<(Result<(), wgpu::BufferAsyncError>, Instant)>;

impl Gpu {
    /// The machine's best adapter: with its limits and the features that kernels know, or with `least`, what every device has.
    pub async fn open(least: bool) -> Result<Gpu> {
        let unavailable = |reason: String| Error::WebGpuUnavailable { reason, facts: serde_json::Value::Null };
        let (adapter, compiler) =
            backend::best_adapter().await.ok_or_else(|| unavailable("no graphics adapter answered".into()))?;
        let offered = adapter.limits();
        let defaults = wgpu::Limits::default();
        let required_limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size.max(defaults.max_buffer_size),
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            ..defaults.clone()
        };
        let features = adapter.features() & (wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP);
        let (required_features, required_limits) = match least {
            true => (wgpu::Features::empty(), defaults),
            false => (features, required_limits),
        };
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("cresset"),
                required_features,
                required_limits,
                ..Default::default()
            })
            .await
            .map_err(|e| unavailable(e.to_string()))?;

        let failure = Arc::new(Mutex::new(None));
        let lost = failure.clone();
        device.set_device_lost_callback(move |_, reason| {
            *lost.lock().expect("no panic while held") = Some(Error::DeviceLost { reason });
        });
        let uncaptured = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            uncaptured.lock().expect("no panic while held").get_or_insert(Error::Internal(error.to_string()));
        }));

        let ring = (0..RUN_AHEAD + 1).map(|_| staging(&device, RING_BYTES)).collect();
        let limits = Limits::of(device.limits().max_storage_buffer_binding_size, device.limits().max_buffer_size);
        let mut info = backend::describe(&adapter, &device, limits, compiler);
        if least {
            info.features.retain(|feature| feature != PACKED_DOT);
        }
        let tuning = Tuning::unmeasured(info.software);
        let common = Common::new(info, tuning);
        Ok(Gpu {
            backend: backend::Backend::new(&device),
            core: Core { common, device, queue, buffers: Vec::new() },
            freed: Vec::new(),
            ring,
            in_flight: RefCell::default(),
            next: Cell::new(0),
            ended: Cell::default(),
            simulation: None,
            failure,
            allocations: RefCell::default(),
        })
    }

    pub fn create_buffer(&mut self, label: &str, bytes: u64, usage: Usage) -> Result<BufferId> {
        let bytes = bytes.next_multiple_of(16).max(16);
        let most = self.core.common.info.limits.max_buffer_bytes.min(self.core.common.info.limits.max_binding_bytes);
        if bytes > most {
            return Err(Error::OutOfMemory {
                what: label.to_string(),
                need_mb: bytes >> 20,
                limit: MemoryLimit::Binding { mb: most >> 20 },
            });
        }
        let scope = || self.core.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        self.allocations.get_mut().get_or_insert_with(scope);
        let buffer = self.core.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        self.core.common.memory.add(usage, bytes);
        self.core.common.count(|c| c.buffers += 1);
        if let Some(id) = self.freed.pop() {
            self.core.buffers[id.0 as usize] = buffer;
            return Ok(id);
        }
        self.core.buffers.push(buffer);
        Ok(BufferId(self.core.buffers.len() as u32 - 1))
    }

    pub fn free(&mut self, buffer: BufferId, usage: Usage) {
        let freed = &self.core.buffers[buffer.0 as usize];
        freed.destroy();
        let bytes = freed.size();
        self.core.common.memory.sub(usage, bytes);
        self.freed.push(buffer);
    }

    pub fn write(&self, buffer: BufferId, offset: u64, bytes: &[u8]) {
        self.core.queue.write_buffer(&self.core.buffers[buffer.0 as usize], offset, bytes);
        self.core.common.count(|c| c.bytes_written += bytes.len() as u64);
    }

    pub async fn flush(&self) {
        self.core.queue.submit([]);
        self.backend.settle(&self.core).await;
    }

    pub fn destroy(&self) {
        let lost = Error::DeviceLost { reason: "it was given back".into() };
        *self.failure.lock().expect("no panic while held") = Some(lost);
        self.core.device.destroy();
    }

    pub fn is_lost(&self) -> bool {
        matches!(*self.failure.lock().expect("no panic while held"), Some(Error::DeviceLost { .. }))
    }

    pub fn begin_compile(&self, plan: Plan) -> Compiling {
        let grids = plan.steps.iter().map(|step| step.grid).collect();
        Compiling { plan: self.backend.begin_compile(&self.core, plan), grids }
    }

    pub async fn finish_compile(&self, Compiling { plan, grids }: Compiling) -> Result<Compiled> {
        let plan = self.backend.finish_compile(&self.core, plan).await?;
        self.check().await?;
        Ok(Compiled { plan, grids, timer: Rc::default() })
    }

    pub fn run(&self, plan: &Compiled, read: BufferId, bytes: u64) -> Result<Ticket> {
        self.failed()?;
        assert!(bytes <= RING_BYTES, "the ring holds {RING_BYTES} bytes");
        assert!(self.in_flight.borrow().len() < self.ring.len(), "wait for a ticket before the next run");
        let ring = self.next.get();
        self.next.set((ring + 1) % self.ring.len());
        // Some dispatch has a row of workgroups for each row.
        let rows = plan.grids.iter().map(|grid| grid[1] as usize).max().unwrap_or(0);
        let submits = plan.timer.submits(plan.grids.len(), rows);
        let dispatches = plan.grids.len().div_ceil(submits).max(1);
        let simulated = self.simulation.as_ref();
        let simulated = simulated.map(|seconds| plan.grids.chunks(dispatches).map(|grids| seconds(grids)).sum());
        let started = Instant::now();
        let copy = (&self.core.buffers[read.0 as usize], &self.ring[ring], bytes);
        let submission = self.backend.replay(&self.core, &plan.plan, dispatches, copy);
        let mapped = map(&self.ring[ring], bytes);
        let timer = plan.timer.clone();
        self.in_flight.borrow_mut().push_back(InFlight { ring, bytes, submission, mapped, started, timer, simulated });
        self.core.common.count(|c| {
            c.submits += plan.grids.len().div_ceil(dispatches).max(1) as u64;
            c.maps += 1;
            c.dispatches += plan.grids.len() as u64;
        });
        Ok(Ticket(self.core.common.counters.get().submits))
    }

    pub async fn wait(&self, _ticket: Ticket) -> Result<Vec<u32>> {
        let run = self.in_flight.borrow_mut().pop_front().expect("a run to wait for");
        self.backend.finish(&self.core, run.submission);
        let (words, ended) = self.take(&self.ring[run.ring], run.bytes, run.mapped).await?;
        // It began when the one before it had ended.
        let began = self.ended.replace(Some(ended)).map_or(run.started, |before| before.max(run.started));
        run.timer.add(run.simulated.unwrap_or(ended.saturating_duration_since(began).as_secs_f64()));
        Ok(words)
    }

    pub async fn read(&self, buffer: BufferId, offset: u64, bytes: u64) -> Result<Vec<u32>> {
        self.failed()?;
        let staging = staging(&self.core.device, bytes.next_multiple_of(8));
        let mut encoder = self.core.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.core.buffers[buffer.0 as usize], offset, &staging, 0, bytes);
        let submission = backend::submitted(self.core.queue.submit([encoder.finish()]));
        let mapped = map(&staging, bytes);
        self.backend.finish(&self.core, submission);
        Ok(self.take(&staging, bytes, mapped).await?.0)
    }

    pub fn copy(&self, from: BufferId, to: BufferId, bytes: u64) {
        let mut encoder = self.core.device.create_command_encoder(&Default::default());
        let [from, to] = [from, to].map(|id| &self.core.buffers[id.0 as usize]);
        encoder.copy_buffer_to_buffer(from, 0, to, 0, bytes);
        self.core.queue.submit([encoder.finish()]);
    }

    /// Whatever failed since the last call, out of memory first. A lost device stays lost.
    pub async fn check(&self) -> Result<()> {
        let refused = match self.allocations.take() {
            Some(scope) => scope.pop().await.is_some(),
            None => false,
        };
        self.backend.settle(&self.core).await;
        let failed = self.failed();
        if refused && !matches!(failed, Err(Error::DeviceLost { .. })) {
            // Later errors follow from the missing buffer.
            return Err(Error::OutOfMemory {
                what: "the model".into(),
                need_mb: self.core.common.memory.total() >> 20,
                limit: MemoryLimit::Device,
            });
        }
        failed
    }

    /// Takes the error since the last call; a lost device stays lost.
    fn failed(&self) -> Result<()> {
        let mut failure = self.failure.lock().expect("no panic while held");
        match failure.clone() {
            None => Ok(()),
            Some(error @ Error::DeviceLost { .. }) => Err(error),
            Some(error) => {
                *failure = None;
                Err(error)
            }
        }
    }

    /// The words of a buffer once it is mapped, and when that was. It is unmapped whatever else has failed, ready for its next
    /// use.
    async fn take(&self, buffer: &wgpu::Buffer, bytes: u64, mapped: Mapped) -> Result<(Vec<u32>, Instant)> {
        let mapped = mapped.await.ok().and_then(|(result, at)| result.ok().map(|()| at));
        let taken = mapped.and_then(|at| {
            let view = buffer.get_mapped_range(0..bytes.next_multiple_of(8)).ok()?;
            Some((bytemuck::pod_collect_to_vec(&view[..bytes as usize]), at))
        });
        if mapped.is_some() {
            buffer.unmap();
        }
        self.failed()?;
        self.core.common.count(|c| c.bytes_read += bytes);
        taken.ok_or_else(|| Error::DeviceLost { reason: "a read-back failed".into() })
    }
}

/// Begins to map the start of a buffer for reading.
fn map(buffer: &wgpu::Buffer, bytes: u64) -> Mapped {
    let (sender, mapped) = oneshot::channel();
    buffer.map_async(wgpu::MapMode::Read, 0..bytes.next_multiple_of(8), move |result| {
        let _ = sender.send((result, Instant::now())); // a receiver that is gone no longer wants to know
    });
    mapped
}

fn staging(device: &wgpu::Device, bytes: u64) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("read-back"),
        size: bytes.max(8),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}
