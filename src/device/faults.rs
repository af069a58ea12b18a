//! Faults that tests inject: a device that is lost, submits that seem to take other times than they do.

use super::executor::Device;
pub use super::gpu::Simulation;

/// Ends the device when it is called, in the middle of a run too, as a driver's reset does. A CPU cannot be lost.
pub fn loss(device: &Device) -> Box<dyn Fn()> {
    match device {
        Device::Gpu(gpu) => {
            let device = gpu.core.device.clone();
            Box::new(move || device.destroy())
        }
        Device::Cpu(_) => Box::new(|| ()),
    }
}

/// Makes submits seem to take what `simulation` says of their grids.
pub fn simulate(device: &mut Device, simulation: Simulation) {
    if let Device::Gpu(gpu) = device {
        gpu.simulation = Some(simulation);
    }
}
