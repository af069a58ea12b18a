//! What naga makes of a WGSL module for Vulkan, Direct3D 12 and Metal, with wgpu's options for each: what natively runs, and
//! in Firefox. Browsers zero workgroup memory and this program does not, so both are tried.
#![allow(dead_code, reason = "each test binary uses its part")]

use cresset::device::Features;
use naga::back::{hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{self, Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, ShaderStage, StorageAccess, TypeInner};
use std::collections::{BTreeMap, HashMap};

/// A module in the languages of drivers.
pub struct Translated {
    /// For Vulkan 1.1 and 1.3.
    pub spirv: [(&'static str, Vec<u32>); 2],
    /// By shader model, as far as one knows what the module needs; the name of the entry point there.
    pub hlsl: Vec<(&'static str, String, String)>,
    /// By version of the language.
    pub metal: [(&'static str, String); 2],
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u32,
}

/// Checks a module and translates it. Error: the first complaint.
pub fn translate(wgsl: &str, entry: &str, features: Features) -> Result<Translated, String> {
    let module = naga::front::wgsl::parse_str(wgsl).map_err(|error| error.emit_to_string(wgsl))?;
    let info = validate(&module, features).map_err(|error| error.emit_to_string(wgsl))?;
    one_name_a_type(&module)?;
    let found = module.entry_points.iter().map(|point| point.name.as_str()).collect::<Vec<_>>();
    if found != [entry] {
        return Err(format!("entry points {found:?}, not {entry}"));
    }
    Ok(Translated {
        spirv: [
            ("vulkan1.1", spirv(&module, &info, features, false)?),
            ("vulkan1.3", spirv(&module, &info, features, true)?),
        ],
        hlsl: hlsl(&module, &info, features)?,
        metal: [("2.4", metal(&module, &info, (2, 4))?), ("3.2", metal(&module, &info, (3, 2))?)],
        workgroup_bytes: workgroup_bytes(&module, &info),
    })
}

/// naga's validation with what a device has that offers these features and nothing else that is optional.
#[allow(clippy::result_large_err, reason = "it is naga's")]
pub fn validate(
    module: &naga::Module,
    features: Features,
) -> Result<ModuleInfo, naga::WithSpan<valid::ValidationError>> {
    // naga's name for `unpack2x16float`, which every WebGPU has.
    let mut capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    capabilities.set(Capabilities::SHADER_FLOAT16, features.f16);
    capabilities.set(Capabilities::SUBGROUP, features.subgroups);
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    if features.subgroups {
        validator.subgroup_stages(valid::ShaderStages::COMPUTE);
        validator.subgroup_operations(valid::SubgroupOperationSet::all());
    }
    validator.validate(module)
}

/// Bytes of the workgroup memory that the entry point uses.
pub fn workgroup_bytes(module: &naga::Module, info: &ModuleInfo) -> u32 {
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).expect("types that were validated");
    let shared = module.global_variables.iter().filter(|(handle, variable)| {
        variable.space == AddressSpace::WorkGroup && !info.get_entry_point(0)[*handle].is_empty()
    });
    shared.map(|(_, variable)| layouter[variable.ty].size.next_multiple_of(16)).sum()
}

/// Two array types that differ in their names alone are one type to WGSL and two to naga: what it writes then does not fit.
fn one_name_a_type(module: &naga::Module) -> Result<(), String> {
    let mut names: HashMap<&TypeInner, Vec<&str>> = HashMap::new();
    for (_, kind) in module.types.iter().filter(|(_, kind)| !matches!(kind.inner, TypeInner::Struct { .. })) {
        names.entry(&kind.inner).or_default().push(kind.name.as_deref().unwrap_or("no name"));
    }
    match names.into_iter().find(|(_, names)| names.len() > 1) {
        Some((inner, names)) => Err(format!("a type has several names, {}: {inner:?}", names.join(" and "))),
        None => Ok(()),
    }
}

fn spirv(module: &naga::Module, info: &ModuleInfo, features: Features, is_new: bool) -> Result<Vec<u32>, String> {
    use spv::Capability;
    let mut capabilities = vec![
        Capability::Shader,
        Capability::Matrix,
        Capability::GroupNonUniform,
        Capability::GroupNonUniformVote,
        Capability::GroupNonUniformArithmetic,
        Capability::GroupNonUniformBallot,
        Capability::GroupNonUniformShuffle,
        Capability::GroupNonUniformShuffleRelative,
        Capability::GroupNonUniformQuad,
    ];
    if features.f16 {
        capabilities.extend([
            Capability::Float16,
            Capability::StorageBuffer16BitAccess,
            Capability::UniformAndStorageBuffer16BitAccess,
        ]);
    }
    if is_new {
        capabilities.extend([
            Capability::DotProductInputAllKHR,
            Capability::DotProductInput4x8BitKHR,
            Capability::DotProductInput4x8BitPackedKHR,
            Capability::DotProductKHR,
            Capability::Int8,
        ]);
    }
    // With robustBufferAccess2 the driver checks bounds, without naga does.
    let buffer = if is_new { BoundsCheckPolicy::Unchecked } else { BoundsCheckPolicy::Restrict };
    let zeroing = match is_new {
        true => spv::ZeroInitializeWorkgroupMemoryMode::None,
        false => spv::ZeroInitializeWorkgroupMemoryMode::Polyfill,
    };
    let options = spv::Options {
        lang_version: if is_new { (1, 6) } else { (1, 3) },
        flags: spv::WriterFlags::empty(),
        capabilities: Some(capabilities.into_iter().collect()),
        bounds_check_policies: policies(buffer),
        zero_initialize_workgroup_memory: zeroing,
        force_loop_bounding: true,
        fake_missing_bindings: true,
        ..Default::default()
    };
    let pipeline =
        spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: module.entry_points[0].name.clone() };
    spv::write_vec(module, info, &options, Some(&pipeline)).map_err(|error| format!("SPIR-V: {error}"))
}

fn policies(buffer: BoundsCheckPolicy) -> BoundsCheckPolicies {
    BoundsCheckPolicies {
        index: BoundsCheckPolicy::Restrict,
        buffer,
        image_load: buffer,
        binding_array: BoundsCheckPolicy::Unchecked,
    }
}

fn hlsl(
    module: &naga::Module,
    info: &ModuleInfo,
    features: Features,
) -> Result<Vec<(&'static str, String, String)>, String> {
    use hlsl::ShaderModel;
    // Registers by class, in the order of bindings.
    let mut binding_map = hlsl::BindingMap::default();
    let mut registers = [0u32; 3];
    for (binding, space) in bindings(module) {
        let class = match space {
            AddressSpace::Uniform => 0,
            AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => 2,
            _ => 1,
        };
        binding_map.insert(binding, hlsl::BindTarget { register: registers[class], ..Default::default() });
        registers[class] += 1;
    }
    let mut texts = Vec::new();
    // FXC knows the first; DXC on older devices those between; from 6.4 on packed products are one instruction.
    let models = [("5_1", ShaderModel::V5_1), ("6_2", ShaderModel::V6_2), ("6_6", ShaderModel::V6_6)];
    for (name, shader_model) in models {
        if (features.f16 || features.subgroups || features.packed) && shader_model == ShaderModel::V5_1 {
            continue; // it is not offered there
        }
        let options = hlsl::Options {
            shader_model,
            binding_map: binding_map.clone(),
            fake_missing_bindings: false,
            special_constants_binding: Some(hlsl::BindTarget { register: registers[0], ..Default::default() }),
            zero_initialize_workgroup_memory: shader_model == ShaderModel::V6_2,
            restrict_indexing: true,
            force_loop_bounding: true,
            ..Default::default()
        };
        let entry = module.entry_points[0].name.clone();
        let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry)) };
        let mut text = String::new();
        let reflection = hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None);
        let reflection = reflection.map_err(|error| format!("HLSL {name}: {error}"))?;
        let entry = reflection.entry_point_names[0].clone().map_err(|error| format!("HLSL {name}: {error}"))?;
        texts.push((name, text, entry));
    }
    Ok(texts)
}

fn metal(module: &naga::Module, info: &ModuleInfo, lang_version: (u8, u8)) -> Result<String, String> {
    let mut resources = msl::BindingMap::default();
    for (slot, (binding, space)) in (0..).zip(bindings(module)) {
        let mutable = matches!(space, AddressSpace::Storage { access } if access.contains(StorageAccess::STORE));
        resources.insert(binding, msl::BindTarget { buffer: Some(slot), mutable, ..Default::default() });
    }
    let sizes_buffer = Some(resources.len() as u8);
    let resources = msl::EntryPointResources { resources, immediates_buffer: None, sizes_buffer };
    let entry = module.entry_points[0].name.clone();
    let options = msl::Options {
        lang_version,
        per_entry_point_map: BTreeMap::from([(entry.clone(), resources)]),
        inline_samplers: vec![],
        spirv_cross_compatibility: false,
        fake_missing_bindings: false,
        bounds_check_policies: policies(BoundsCheckPolicy::Restrict),
        zero_initialize_workgroup_memory: lang_version == (2, 4),
        force_loop_bounding: true,
        ..Default::default()
    };
    let pipeline = msl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, entry)),
        vertex_pulling_transform: true,
        ..Default::default()
    };
    let written = msl::write_string(module, info, &options, &pipeline);
    let (text, written) = written.map_err(|error| format!("Metal: {error}"))?;
    written.entry_point_names[0].as_ref().map_err(|error| format!("Metal: {error}"))?;
    Ok(text)
}

/// What a module binds, in order, and how.
fn bindings(module: &naga::Module) -> Vec<(naga::ResourceBinding, AddressSpace)> {
    let bound = module.global_variables.iter().filter_map(|(_, variable)| Some((variable.binding?, variable.space)));
    let mut bound: Vec<_> = bound.collect();
    bound.sort_by_key(|(binding, _)| (binding.group, binding.binding));
    bound
}
