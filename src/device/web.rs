//! The browser's executor: wgpu owns device and buffers; pipelines, bind groups and replay go over raw WebGPU handles.
//!
//! With `web/`, the only place that knows `JsValue`.

use super::gpu_core::{Core, PARAMS_STRIDE, adapter as open_adapter, params_arena};
use super::info::DeviceInfo;
use super::kernel::{Access, Features, Options};
use super::limits::Limits;
use super::plan::{Plan, Step};
use super::unpack_f16::UnpackF16;
use crate::error::{Error, Result};
use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use serde::Deserialize;
use std::collections::HashMap;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// The lines that a text needs which uses these features. Packed products are of the language, and need none.
fn prologue(Features { f16, subgroups, packed: _ }: Features) -> String {
    let lines = [(f16, "enable f16;\n"), (subgroups, "enable subgroups;\n")];
    lines.iter().filter(|(uses, _)| *uses).map(|(_, line)| *line).collect()
}

#[wasm_bindgen(module = "/src/device/web.js")]
extern "C" {
    #[wasm_bindgen(js_name = compile)]
    fn js_compile(device: &JsValue, modules: Array, steps: Array, params: Uint8Array, stride: f64) -> Promise;
    #[wasm_bindgen(js_name = replay)]
    fn js_replay(device: &JsValue, compiled: &JsValue, dispatches: f64, from: &JsValue, to: &JsValue, bytes: f64);
    #[wasm_bindgen(js_name = describe)]
    fn js_describe(device: &JsValue) -> String;
    #[wasm_bindgen(catch)]
    async fn settled(device: &JsValue) -> Result<JsValue, JsValue>;
}

/// Work is finished when its read-back is mapped; there is nothing to wait for before.
pub struct Submission;

/// The raw device; layouts and pipelines are kept by it on the JavaScript side.
pub struct Backend {
    device: JsValue,
}

/// A plan whose pipelines the browser is compiling.
pub struct Compiling {
    handle: Promise,
    dispatches: u64,
}

/// A plan whose every object exists, in JavaScript.
pub struct Compiled {
    handle: JsValue,
}

impl Backend {
    pub fn new(device: &wgpu::Device) -> Self {
        Backend { device: raw_device(device).clone() }
    }

    pub fn begin_compile(&self, core: &Core, plan: Plan) -> Compiling {
        let (modules, steps) = (Array::new(), Array::new());
        let mut numbers: HashMap<(&str, &Options), u32> = HashMap::new();
        for step in &plan.steps {
            let module = *numbers.entry((step.kernel.name, &step.options)).or_insert_with(|| {
                modules.push(&module(step, core.common.tuning.unpack_f16)) - 1 // `push` gives the new length
            });
            let buffers: Array =
                step.bindings.iter().map(|id| raw_buffer(&core.buffers[id.0 as usize]).clone()).collect();
            let grid: Array = step.grid.iter().map(|&n| JsValue::from(n)).collect();
            let object = Object::new();
            set(&object, "module", module.into());
            set(&object, "buffers", buffers.into());
            set(&object, "grid", grid.into());
            steps.push(&object);
        }
        let params = Uint8Array::from(params_arena(&plan).as_slice());
        let handle = js_compile(&self.device, modules, steps, params, PARAMS_STRIDE as f64);
        Compiling { handle, dispatches: plan.steps.len() as u64 }
    }

    pub async fn finish_compile(&self, core: &Core, Compiling { handle, dispatches }: Compiling) -> Result<Compiled> {
        let handle = JsFuture::from(handle)
            .await
            .map_err(|e| Error::Internal(format!("a shader does not compile here: {}", message(&e))))?;
        let made = Reflect::get(&handle, &"made".into()).ok().and_then(|n| n.as_f64()).unwrap_or(0.0);
        core.common.count(|c| {
            c.pipelines += made as u64;
            c.bind_groups += dispatches;
        });
        Ok(Compiled { handle })
    }

    pub fn replay(
        &self,
        _core: &Core,
        plan: &Compiled,
        dispatches: usize,
        (from, to, bytes): (&wgpu::Buffer, &wgpu::Buffer, u64),
    ) -> Submission {
        let (from, to) = (raw_buffer(from), raw_buffer(to));
        js_replay(&self.device, &plan.handle, dispatches as f64, from, to, bytes as f64);
        Submission
    }

    pub fn finish(&self, _core: &Core, _submission: Submission) {}

    /// Errors arrive as events: wait until the queue has caught up.
    pub async fn settle(&self, _core: &Core) {
        // A rejection means a lost device, which reports itself through its callback.
        let _ = settled(&self.device).await;
    }
}

fn raw_device(device: &wgpu::Device) -> &JsValue {
    device.as_webgpu().expect("the web has one backend").as_ref()
}

fn raw_buffer(buffer: &wgpu::Buffer) -> &JsValue {
    buffer.as_webgpu().expect("the web has one backend").as_ref()
}

#[derive(Deserialize)]
struct Described {
    vendor: String,
    architecture: String,
    description: String,
    software: bool,
    features: Vec<String>,
    subgroup_size: Option<u32>,
}

/// The browser's best adapter. What compiles its shaders it does not say.
pub async fn best_adapter() -> Option<(wgpu::Adapter, Option<String>)> {
    Some((open_adapter(wgpu::BackendOptions::default(), wgpu::Backends::PRIMARY).await?, None))
}

pub fn describe(
    _adapter: &wgpu::Adapter,
    device: &wgpu::Device,
    limits: Limits,
    compiler: Option<String>,
) -> DeviceInfo {
    let mut info = DeviceInfo { backend: "webgpu".into(), limits, compiler, ..DeviceInfo::default() };
    if let Ok(d) = serde_json::from_str::<Described>(&js_describe(raw_device(device))) {
        (info.vendor, info.architecture, info.description) = (d.vendor, d.architecture, d.description);
        (info.software, info.features, info.subgroup_size) = (d.software, d.features, d.subgroup_size);
    }
    info
}

fn module(step: &Step, unpack_f16: UnpackF16) -> Object {
    let letter = |access: &Access| match access {
        Access::Uniform => 'u',
        Access::Read => 'r',
        Access::Write => 'w',
    };
    let object = Object::new();
    set(&object, "name", step.kernel.name.into());
    set(&object, "code", step.kernel.wgsl(&step.options, unpack_f16, &prologue(step.options.features)).into());
    set(&object, "accesses", step.kernel.bindings.iter().map(letter).collect::<String>().into());
    object
}

fn set(object: &Object, key: &str, value: JsValue) {
    Reflect::set(object, &key.into(), &value).expect("a plain object takes any key");
}

/// An exception's message, or whatever it is as text.
pub(crate) fn message(error: &JsValue) -> String {
    let text = Reflect::get(error, &"message".into()).ok().and_then(|m| m.as_string());
    text.unwrap_or_else(|| format!("{error:?}"))
}

pub fn submitted(_index: wgpu::SubmissionIndex) -> Submission {
    Submission
}
