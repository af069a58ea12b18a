//! Recording: a forward writes steps, activations are given out by liveness.

use super::buffers::{BufferId, Usage};
use super::control::Layout;
use super::executor::Device;
use super::kernel::{Kernel, Options};
use super::low_rank::Corrections;
use super::params::Params;
use super::plan::{Plan, Step};
use crate::error::Result;
use std::cell::RefCell;
use std::rc::Rc;

/// Free activation buffers, shared by all plans of a device: plans never run at the same time.
#[derive(Default)]
pub struct Pool(RefCell<Vec<(u64, BufferId)>>);

/// An activation [rows, columns] of f32; rows are `stride` floats apart. Dropping it frees its buffer for later steps.
pub struct Tensor {
    /// Where it lies, from its start on.
    pub buffer: BufferId,
    /// T.
    pub rows: usize,
    /// Numbers of a row, without padding.
    pub columns: usize,
    lease: Option<(u64, Rc<Pool>)>,
}

impl Tensor {
    /// A tensor in a buffer that its caller owns.
    pub fn new(buffer: BufferId, rows: usize, columns: usize) -> Self {
        Tensor { buffer, rows, columns, lease: None }
    }

    /// Floats from one row to the next: the columns, rounded up to a vec4.
    pub fn stride(&self) -> usize {
        self.columns.next_multiple_of(4)
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        if let Some((bytes, pool)) = self.lease.take() {
            pool.0.borrow_mut().push((bytes, self.buffer));
        }
    }
}

/// A plan being recorded, for `rows` rows at most.
pub struct Pass<'d> {
    /// Where buffers are made, and what kernels are shaped by.
    pub device: &'d mut Device,
    /// The most rows of a run.
    pub rows: usize,
    /// Where `control` and `state` keep what.
    pub layout: Layout,
    /// Written by the host between runs.
    pub control: BufferId,
    /// Written by the device only.
    pub state: BufferId,
    /// Rows are those that get logits, not those in use: set once the rows have been gathered.
    pub logit_rows: bool,
    /// Into how many chunks a decoded token's attention cuts its keys: 1 where they are few.
    pub key_chunks: usize,
    /// The adapter that the plan is recorded with.
    pub corrections: Option<Rc<Corrections>>,
    /// Where rows [T, D] that stand for pictures and sounds lie, if there are any.
    pub media: Option<BufferId>,
    /// Rows of one picture see each other, later ones too.
    pub whole_media: bool,
    pool: Rc<Pool>,
    plan: Plan,
}

impl<'d> Pass<'d> {
    /// A plan with nothing in it. `io`: the buffers of `control` and of `state`.
    pub fn new(device: &'d mut Device, pool: &Rc<Pool>, rows: usize, layout: Layout, io: (BufferId, BufferId)) -> Self {
        Pass {
            device,
            rows,
            layout,
            control: io.0,
            state: io.1,
            logit_rows: false,
            key_chunks: 1,
            corrections: None,
            media: None,
            whole_media: false,
            pool: pool.clone(),
            plan: Plan::default(),
        }
    }

    /// An activation for this plan; its contents are whatever an earlier step left.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` past the device's limits.
    pub fn tensor(&mut self, rows: usize, columns: usize) -> Result<Tensor> {
        let bytes = 4 * rows as u64 * columns.next_multiple_of(4) as u64;
        let mut free = self.pool.0.borrow_mut();
        // The smallest that fits, so that large ones stay for those who need them.
        let best = (0..free.len()).filter(|&i| free[i].0 >= bytes).min_by_key(|&i| free[i].0);
        let (bytes, buffer) = match best {
            Some(i) => free.swap_remove(i),
            None => (bytes, self.device.create_buffer("activations", bytes, Usage::Activations)?),
        };
        Ok(Tensor { buffer, rows, columns, lease: Some((bytes, self.pool.clone())) })
    }

    /// Records one dispatch. `bindings` are those after the parameters, in the kernel's order.
    pub fn record<P: Params>(
        &mut self,
        kernel: &'static Kernel,
        options: Options,
        params: P,
        bindings: &[BufferId],
        grid: [u32; 3],
    ) {
        assert_eq!(bindings.len() + 1, kernel.bindings.len(), "{}: bindings", kernel.name);
        assert!(grid.iter().all(|&n| (1..=65535).contains(&n)), "{}: grid {grid:?}", kernel.name);
        self.plan.steps.push(Step {
            kernel,
            options,
            params: bytemuck::bytes_of(&params).to_vec(),
            members: P::MEMBERS,
            bindings: bindings.to_vec(),
            grid,
        });
    }

    /// All that was recorded.
    pub fn finish(self) -> Plan {
        self.plan
    }
}
