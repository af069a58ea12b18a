//! An adapter in GGUF, for a model that is loaded.
#![no_main]

use cresset::engine::{AdapterOptions, DeviceChoice, Engine, LoadOptions};
use cresset::weights::{Checkpoint, Files, open_path};
use cresset_fuzz::file;
use pollster::block_on;
use std::cell::RefCell;
use std::path::Path;

thread_local! {
    static ENGINE: RefCell<Engine> = RefCell::new({
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/llama-gqa/f32.gguf");
        let model = block_on(Checkpoint::open(open_path(Path::new(path)).expect("a golden file"))).expect("a model");
        let options = LoadOptions { device: DeviceChoice::Cpu, ..LoadOptions::default() };
        block_on(Engine::load(model, &options, &mut |_| ())).expect("an engine")
    });
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(adapter) = block_on(Checkpoint::open(Files::new(vec![file("adapter.gguf", bytes)]))) else { return };
    ENGINE.with_borrow_mut(|engine| {
        if block_on(engine.load_adapter("odd", &adapter, &AdapterOptions::default())).is_ok() {
            engine.unload_adapter("odd").expect("it is there");
        }
        assert_eq!(engine.info()["memory"]["adapters"], 0);
    });
});
