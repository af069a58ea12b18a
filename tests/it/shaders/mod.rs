//! Shaders on the drivers that visitors have: each module that a plan may hold, on any device, through naga's validation and its
//! writers for Vulkan, Direct3D 12 and Metal. `./build.sh shaders` asks those systems' compilers as well.

use crate::modules::{self, Module};
use crate::translate::translate;
use cresset::device::{BufferId, Device, KvFormat, Layout, Member, Options, Pass, Step, Tensor, Tuning, UnpackF16};
use cresset::load::Allocator;
use cresset::models::{self, Decoder, Model, Wanted};
use cresset::ops::KvCache;
use cresset::weights::{Checkpoint, open_path};
use pollster::block_on;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Mutex;

/// One module in so many goes through spirv-val, which takes longer than all the rest.
const VALIDATED: usize = 10;

#[test]
fn every_module_is_right_for_every_driver() {
    let modules = modules::every();
    assert!(modules.len() > 2000, "{} modules", modules.len());
    println!("{} modules", modules.len());
    let has_validator = Command::new("spirv-val").arg("--version").output().is_ok();
    if !has_validator {
        crate::support::skip::skipped("SPIR-V through spirv-val (no spirv-val)");
    }
    let complaints = Mutex::new(BTreeMap::new());
    let next = Mutex::new(modules.iter().enumerate());
    let work = || {
        loop {
            let Some((i, module)) = next.lock().expect("no panic while held").next() else { return };
            if let Err(complaint) = complaint(module, has_validator && i % VALIDATED == 0) {
                complaints.lock().expect("no panic while held").insert(module.stem(), complaint);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    let complaints = complaints.into_inner().expect("no panic while held");
    let some: Vec<String> = complaints.iter().take(5).map(|(stem, complaint)| format!("{stem}: {complaint}")).collect();
    assert!(some.is_empty(), "{} of {} modules:\n{}", complaints.len(), modules.len(), some.join("\n"));
}

fn complaint(module: &Module, validate: bool) -> Result<(), String> {
    let translated = translate(&module.wgsl, module.kernel.name, module.features())?;
    if translated.workgroup_bytes > 16384 {
        return Err(format!("{} bytes of workgroup memory", translated.workgroup_bytes));
    }
    if validate {
        translated.spirv.iter().try_for_each(|(environment, words)| spirv_val(environment, words))?;
    }
    Ok(())
}

fn spirv_val(environment: &str, words: &[u32]) -> Result<(), String> {
    let mut command = Command::new("spirv-val");
    command
        .args(["--target-env", environment, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = command.spawn().map_err(|error| error.to_string())?;
    let written = running.stdin.take().expect("it is piped").write_all(bytemuck::cast_slice(words));
    let output = running.wait_with_output().map_err(|error| error.to_string())?;
    match (written, output.status.success()) {
        (Ok(()), true) => Ok(()),
        _ => Err(format!("{environment}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// A new kernel is among them, or this fails.
#[test]
fn every_kernel_is_among_them() {
    let listed: BTreeSet<String> = modules::every().iter().map(|module| module.kernel.name.to_string()).collect();
    let files = std::fs::read_dir("shaders").expect("the shaders").map(|entry| entry.expect("an entry").path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "wgsl"));
    let files: BTreeSet<String> =
        files.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(listed, files);
}

/// Rust's parameter structs against WGSL's: names, types, offsets and size. A kernel's steps carry their struct's members, so
/// that none can be left out.
#[test]
fn parameters_lie_where_shaders_read_them() {
    let mut compared = BTreeSet::new();
    for module in modules::every() {
        // Options change no struct, but a kernel recorded with another one would count as another.
        if compared.insert((module.kernel.name, module.members.as_ptr())) {
            let parsed = naga::front::wgsl::parse_str(&module.wgsl).expect("WGSL");
            assert_eq!(in_rust(module.members), in_wgsl(&parsed), "{}", module.kernel.name);
        }
    }
    assert!(compared.len() >= 26, "{} kernels", compared.len());
}

/// A scalar member of a struct: name, type, offset in bytes.
type Scalar = (String, String, u32);

fn in_rust(members: &[Member]) -> (Vec<Scalar>, u32) {
    let mut scalars = Vec::new();
    for Member { name, scalar, array, offset } in members {
        for i in 0..array.unwrap_or(1) {
            let name = if array.is_some() { format!("{name}{i}") } else { name.to_string() };
            scalars.push((name, scalar.to_string(), (offset + 4 * i) as u32));
        }
    }
    let size = scalars.last().map_or(0, |(.., offset)| offset + 4);
    (scalars, size)
}

/// Of the struct at binding 0.
fn in_wgsl(module: &naga::Module) -> (Vec<Scalar>, u32) {
    let (_, uniform) = module
        .global_variables
        .iter()
        .find(|(_, variable)| variable.space == naga::AddressSpace::Uniform)
        .expect("every kernel has parameters");
    let binding = uniform.binding.as_ref().expect("a binding");
    assert_eq!((binding.group, binding.binding), (0, 0));
    let naga::TypeInner::Struct { members, span } = &module.types[uniform.ty].inner else { panic!("a struct") };
    let scalar = |member: &naga::StructMember| {
        let kind = match module.types[member.ty].inner {
            naga::TypeInner::Scalar(naga::Scalar::U32) => "u32",
            naga::TypeInner::Scalar(naga::Scalar::F32) => "f32",
            ref other => panic!("{other:?}"),
        };
        (member.name.clone().expect("a name"), kind.to_string(), member.offset)
    };
    (members.iter().map(scalar).collect(), *span)
}

#[test]
fn a_parameter_out_of_place_is_found() {
    let member = |name, array, offset| Member { name, scalar: "u32", array, offset };
    let wgsl = |members: &str| {
        let text = format!("struct P {{ {members} }}\n@group(0) @binding(0) var<uniform> p: P;");
        in_wgsl(&naga::front::wgsl::parse_str(&text).expect("WGSL"))
    };
    let members = [member("n", Some(2), 0), member("k", None, 8)];
    assert_eq!(in_rust(&members), wgsl("n0: u32, n1: u32, k: u32"));
    for other in [
        "n0: u32, k: u32, n1: u32",
        "n0: u32, n1: u32, k: f32",
        "n0: u32, n1: u32",
        "n0: u32, n1: u32, k: u32, unused: u32",
    ] {
        assert_ne!(in_rust(&members), wgsl(other), "{other}");
    }
}

/// What real plans hold is among them: the golden models', for a token and for a prompt, on a device that was not measured.
/// Left out are heads of a size, and weights of several formats, that are not multiplied out.
#[test]
fn the_golden_models_plans_are_among_them() {
    let every: BTreeSet<String> = modules::every().into_iter().map(|module| module.wgsl).collect();
    let (mut steps, mut attending) = (0, 0);
    for name in crate::support::golden_models() {
        let folder = Path::new("tests/golden").join(&name);
        let files = std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        for file in files.filter(|path| path.extension().is_some_and(|extension| extension == "gguf")) {
            for step in plan_steps(&file) {
                let attends = ["attend", "attention", "kv_write"].contains(&step.kernel.name);
                let formats: BTreeSet<_> = step.options.weights.iter().collect();
                if formats.len() > 1
                    || attends && !modules::USUAL_HEADS.contains(&(step.options.get("HEAD_DIM") as usize))
                {
                    continue;
                }
                attending += usize::from(attends);
                steps += 1;
                let text = step.kernel.wgsl(&step.options, UnpackF16::Native, "");
                let Options { weights, constants, .. } = &step.options;
                assert!(every.contains(&text), "{}: {} {weights:?} {constants:?}", file.display(), step.kernel.name);
            }
        }
    }
    assert!(steps > 1000 && attending > 50, "{steps} steps, {attending} of attention");
}

/// A model's steps for one token, with few keys and with many, and for a prompt.
fn plan_steps(file: &Path) -> Vec<Step> {
    let checkpoint = block_on(Checkpoint::open(open_path(file).expect("a file"))).expect("a model");
    let architecture = models::architecture_of(&checkpoint).expect("a known architecture");
    let mut device = Device::plain_cpu();
    // As many outputs to a group as the shape says: the models are small.
    device.set_tuning(Tuning { least_groups: 1, ..Tuning::unmeasured(false) });
    let shape = architecture.read_shape(&checkpoint).expect("a shape");
    let memory = Allocator::new(&mut device, None);
    let loaded = block_on(architecture.load(architecture.hyper(&checkpoint), &shape, 64, memory)).expect("a model");
    let Model::Decoder(model) = loaded.model else { return Vec::new() };
    let layout = Layout { rows: 16, logit_rows: 1, slots: 1, context: 64, page: 32 };
    let none = BufferId::default();
    let mut steps = Vec::new();
    for (rows, key_chunks) in [(1, 1), (1, 16), (16, 1)] {
        let cache = KvCache {
            keys: none,
            values: none,
            format: KvFormat::F16,
            n_kv_heads: shape.n_kv_heads.at(0),
            head_dim: shape.head_dim,
        };
        let logits = Tensor::new(none, 1, shape.vocabulary);
        let mut pass = Pass::new(&mut device, &Rc::default(), rows, layout, (none, none));
        pass.key_chunks = key_chunks;
        let caches = vec![cache; shape.n_layers];
        model.forward(&mut pass, &caches, Wanted::TopK(&logits, none)).expect("room");
        steps.extend(pass.finish().steps);
    }
    steps
}

/// An alias beside the type it stands for: right WGSL, and wrong in whatever naga writes.
#[test]
fn a_type_with_two_names_is_refused() {
    let text = |kind: &str| {
        format!(
            "alias Sums = array<f32, 4>;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
fn sums() -> {kind} {{ return array(1.0, 2.0, 3.0, 4.0); }}
@compute @workgroup_size(1)
fn add() {{ y[0] = sums()[1]; }}
"
        )
    };
    let error = translate(&text("Sums"), "add", Default::default()).err().expect("a refusal");
    assert!(error.starts_with("a type has several names, ") && error.contains("Sums"), "{error}");
    assert!(
        translate(&text("array<f32, 4>").replace("alias Sums = array<f32, 4>;", ""), "add", Default::default()).is_ok()
    );
}
