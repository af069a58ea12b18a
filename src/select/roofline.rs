//! The limits of a graphics adapter, measured on it: how fast it reads memory and multiplies, and how long a dispatch and a
//! read-back take (Williams et al. 2009, the roofline model). A model's speed is given as a share of these.

use crate::device::{BufferId, Control, Device, Layout, Pass, Plan, Pool, Usage, profile};
use crate::error::Result;
use crate::ops::{FLOPS_A_ROUND, multiply_add, stream};
use serde::Serialize;
use std::rc::Rc;
use web_time::Instant;

/// Enough to fill any device, few enough for one binding.
const STREAM_BYTES: u64 = 64 << 20;
const THREADS: usize = 1 << 16;

/// The limits of an adapter, the ceilings of its roofline.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Ceilings {
    /// 10⁹ bytes read a second.
    pub stream_gb_per_s: f64,
    /// 10⁹ f32 operations a second; a multiply-add is two.
    pub fma_gflop_per_s: f64,
    /// Microseconds of one dispatch among many.
    pub dispatch_us: f64,
    /// Microseconds from a nearly empty submission until its result is read.
    pub readback_us: f64,
}

impl Ceilings {
    /// # Errors
    /// `OUT_OF_MEMORY`, `DEVICE_LOST`. The device is as before, whatever happens.
    pub async fn measure(device: &mut Device) -> Result<Ceilings> {
        let buffers = Buffers::new(device)?;
        let ceilings = buffers.measure(device).await;
        buffers.free(device);
        ceilings
    }
}

struct Buffers {
    layout: Layout,
    x: BufferId,
    y: BufferId,
    control: BufferId,
    state: BufferId,
}

impl Buffers {
    fn new(device: &mut Device) -> Result<Buffers> {
        let layout = Layout { rows: 1, logit_rows: 1, slots: 1, context: 1, page: 1 };
        let mut create = |bytes| device.create_buffer("yardstick", bytes, Usage::Other);
        let x = create(STREAM_BYTES)?;
        let (y, control, state) =
            (create(4 * THREADS as u64)?, create(layout.control_bytes())?, create(layout.state_bytes())?);
        device.write(control, 0, Control::new(layout).bytes());
        Ok(Buffers { layout, x, y, control, state })
    }

    fn free(self, device: &mut Device) {
        for buffer in [self.x, self.y, self.control, self.state] {
            device.free(buffer, Usage::Other);
        }
    }

    fn plan(&self, device: &mut Device, record: impl Fn(&mut Pass)) -> Plan {
        let mut pass = Pass::new(device, &Rc::<Pool>::default(), 1, self.layout, (self.control, self.state));
        record(&mut pass);
        pass.finish()
    }

    /// Seconds of what is recorded, without what a submission costs.
    async fn seconds(&self, device: &mut Device, record: impl Fn(&mut Pass)) -> Result<f64> {
        let plan = self.plan(device, record);
        let times = profile(device, &plan, self.y).await?;
        // No clock tells what is shorter.
        Ok(times.iter().map(|time| time.seconds).sum::<f64>().max(1e-9))
    }

    async fn measure(&self, device: &mut Device) -> Result<Ceilings> {
        const DISPATCHES: usize = 64;
        let read = self.seconds(device, |pass| stream(pass, self.x, STREAM_BYTES, THREADS, self.y)).await?;
        // Enough rounds for a fast device's clock, few enough for a slow one.
        let rounds = if device.info().software { 64 } else { 4096 };
        let multiplied = self.seconds(device, |pass| multiply_add(pass, rounds, THREADS, self.y)).await?;
        let dispatched =
            self.seconds(device, |pass| (0..DISPATCHES).for_each(|_| multiply_add(pass, 1, 64, self.y))).await?;
        let plan = self.plan(device, |pass| multiply_add(pass, 1, 64, self.y));
        let compiled = device.compile(plan).await?;
        let mut readback = f64::INFINITY;
        for _ in 0..20 {
            let start = Instant::now();
            let ticket = device.run(&compiled, self.y, 4)?;
            device.wait(ticket).await?;
            readback = readback.min(start.elapsed().as_secs_f64());
        }
        Ok(Ceilings {
            stream_gb_per_s: STREAM_BYTES as f64 / read / 1e9,
            fma_gflop_per_s: (THREADS * rounds * FLOPS_A_ROUND) as f64 / multiplied / 1e9,
            dispatch_us: dispatched / DISPATCHES as f64 * 1e6,
            readback_us: readback * 1e6,
        })
    }
}
