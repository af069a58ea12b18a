"""LoRA adapters for the tiny checkpoints beside this file, and what `peft` computes with them.

Run from the repository root, after make.py: `python tests/golden/lora.py`. It rewrites the folder `lora`. The committed
files were made with peft 0.21.2 and what make.py names, on an x86-64 CPU. Seeds are fixed: a second run writes the same.

In:  the models of make.py. Out: `lora/NAME/` as PEFT (or mlx-lm) saves an adapter, `lora/NAME.gguf` as llama.cpp's
converter orders it, and expected.json: {cases: [{base, files (of the base), adapters, sequences: [{ids, logits}],
greedy: {prompt, ids}}]}, all adapters and files of a case with the very same numbers.
"""

import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

import make

FOLDER = make.HERE / "lora"
LENGTHS = (1, 9, 21)
BASES = make.MODELS


def adapted(base, config, rng):
    """The base with an adapter of random numbers that f16 holds exactly, strong enough to change every logit."""
    model = peft.get_peft_model(base, config)
    for name, p in model.named_parameters():
        if "lora_" in name:
            draw = torch.from_numpy(rng.standard_normal(tuple(p.shape), dtype=np.float32))
            p.data.copy_((draw * (p.shape[1] ** -0.5 if "lora_A" in name else 0.3)).half().float())
    return model.eval()


def write_peft(model, name, dtype):
    """The folder that `save_pretrained` writes, its numbers in `dtype`."""
    folder = FOLDER / name
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    path = folder / "adapter_model.safetensors"
    tensors = {name: t.to(dtype).contiguous() for name, t in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    config = json.loads((folder / "adapter_config.json").read_text())
    for key in ("target_modules", "exclude_modules"):  # a set: its order changes from run to run
        if config.get(key):
            config[key] = sorted(config[key])
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
    return {name: t.float() for name, t in tensors.items()}


def bases_of(tensors):
    """PEFT's tensors by the base's: {name: {"A": …, "B": …}}."""
    pairs = {}
    for name, t in tensors.items():
        if name.endswith(".base_layer.weight"):  # PEFT keeps a copy of the base's output layer
            continue
        base, half = name.removeprefix("base_model.model.").removesuffix(".weight").rsplit(".lora_", 1)
        pairs.setdefault(base, {})[half] = t
    return pairs


def write_gguf(model, tensors, alpha, name, kind):
    """A GGUF adapter: B's rows in the order that the base's have in GGUF."""
    config = model.config
    w = gguf.GGUFWriter(FOLDER / f"{name}.gguf", gguf.MODEL_ARCH_NAMES[model.arch.gguf])
    w.add_type(gguf.GGUFType.ADAPTER)
    w.add_string(gguf.Keys.Adapter.TYPE, "lora")
    w.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for base, pair in bases_of(tensors).items():
        b = pair["B"].numpy()
        if config["model_type"] != "gpt2":  # whose weights are turned, not their rows
            [(_, b)] = model.arch.rearranged(config, base, b)
        for half, array in (("a", pair["A"].numpy()), ("b", b)):
            tensor = model.arch.tensor_name(config, base + ".weight") + f".lora_{half}"
            array = np.ascontiguousarray(array)
            w.add_tensor(tensor, gguf.quants.quantize(array, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_mlx(tensors, rank, scale, name):
    """mlx-lm's files: both matrices as their transposes, a factor in the config."""
    folder = FOLDER / name
    folder.mkdir()
    turned = {f"{base}.lora_{half.lower()}": t.T.contiguous()
              for base, pair in bases_of(tensors).items() for half, t in pair.items()}
    save_file(turned, folder / "adapters.safetensors")
    parameters = dict(rank=rank, dropout=0.0, scale=scale)
    config = dict(fine_tune_type="lora", num_layers=2, lora_parameters=parameters)
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")


def expected(base, groups, adapters, rng):
    """`groups`: (files of the base, the adapted model, the base alone)."""
    vocab = BASES[base].config["vocab_size"]
    sequences = [rng.integers(0, vocab, n).tolist() for n in LENGTHS]
    prompt = make.greedy_prompt([model for _, model, _ in groups], vocab, rng)
    cases = []
    for files, model, alone in groups:
        logits = [make.logits_of(model, ids) for ids in sequences]
        change = (logits[2] - make.logits_of(alone, sequences[2])).abs().mean().item()
        ids, margin = make.greedy(model, prompt)
        print(f"{adapters} on {base} {files}: logits change by {change:.2f}, greedy margin {margin:.2f}")
        assert change > 0.5
        cases.append(dict(
            base=base, files=files, adapters=adapters,
            sequences=[dict(ids=s, logits=make.rounded(x)) for s, x in zip(sequences, logits)],
            greedy=dict(prompt=prompt, ids=ids)))
    return cases


def loaded(base, file):
    path = make.HERE / base / file
    model = BASES[base]
    return make.load_gguf(model, path) if path.suffix == ".gguf" else make.load_safetensors(model, path.parent)


def group(base, files, config, seed):
    """The same adapter on other files of the base: drawn from the same seed."""
    return files, adapted(loaded(base, files[0]), config, np.random.default_rng(seed)), loaded(base, files[0])


def plain_case(base, config, seed, name, rng):
    """An adapter of both kinds on both kinds of its base."""
    groups = [group(base, ["model.safetensors", "f32.gguf"], config, seed)]
    tensors = write_peft(groups[0][1], name, torch.float16)
    write_gguf(BASES[base], tensors, float(config.lora_alpha), name, gguf.GGMLQuantizationType.F16)
    return expected(base, groups, [f"{name}/adapter_model.safetensors", f"{name}.gguf"], rng)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    rng = np.random.default_rng(2021)
    cases = []
    index = "model.safetensors.index.json"

    # Every projection; ranks from 1 to 64; one alpha, so that GGUF can say it too.
    ranks = peft.LoraConfig(
        r=3, lora_alpha=2, task_type="CAUSAL_LM",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"],
        rank_pattern={"model.layers.0.self_attn.q_proj": 1, r"model\.layers\.[01]\.self_attn\.k_proj": 2, "v_proj": 16,
                      "^model.layers.1.self_attn.o_proj": 64, "down_proj": 8})
    groups = [group("llama-gqa", files, ranks, 1) for files in ([index, "f32.gguf"], ["q4_0.gguf"])]
    tensors = write_peft(groups[0][1], "ranks", torch.float16)
    write_gguf(BASES["llama-gqa"], tensors, 2.0, "ranks", gguf.GGMLQuantizationType.F32)
    cases += expected("llama-gqa", groups, ["ranks/adapter_model.safetensors", "ranks.gguf"], rng)

    # alpha ÷ √r, and alphas of single projections.
    stabilised = peft.LoraConfig(
        r=4, lora_alpha=1, use_rslora=True, task_type="CAUSAL_LM", target_modules=["q_proj", "up_proj", "o_proj"],
        alpha_pattern={"layers.1.self_attn.o_proj": 3, "up_proj": 2})
    groups = [group("llama-gqa", [index, "f32.gguf"], stabilised, 2)]
    write_peft(groups[0][1], "rslora", torch.bfloat16)  # fewer digits than f16: the model takes them over
    exact = load_file(FOLDER / "rslora/adapter_model.safetensors")
    for name, p in groups[0][1].named_parameters():
        if "lora_" in name:
            p.data.copy_(exact[name.replace(".default", "")].float())
    cases += expected("llama-gqa", groups, ["rslora/adapter_model.safetensors"], rng)

    # mlx-lm's way of writing an adapter.
    plain = peft.LoraConfig(r=8, lora_alpha=8 * 1.5, task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj"])
    groups = [group("llama-gqa", [index, "f32.gguf"], plain, 3)]
    tensors = write_peft(groups[0][1], "mlx", torch.float32)
    shutil.rmtree(FOLDER / "mlx")
    write_mlx(tensors, 8, 1.5, "mlx")
    cases += expected("llama-gqa", groups, ["mlx/adapters.safetensors"], rng)

    # Fused queries, keys and values, on Conv1D.
    fused = peft.LoraConfig(
        r=8, lora_alpha=16, fan_in_fan_out=True, task_type="CAUSAL_LM", target_modules=["c_attn", "c_proj", "c_fc"])
    groups = [group("gpt2-small", files, fused, 4) for files in (["model.safetensors", "f32.gguf", "f16.gguf"], ["q8_0.gguf"])]
    tensors = write_peft(groups[0][1], "conv1d", torch.float16)
    write_gguf(BASES["gpt2-small"], tensors, 16.0, "conv1d", gguf.GGMLQuantizationType.F16)
    cases += expected("gpt2-small", groups, ["conv1d/adapter_model.safetensors", "conv1d.gguf"], rng)

    # Queries, keys and values fused head by head, which GGUF puts in another order.
    by_head = peft.LoraConfig(
        r=4, lora_alpha=6, task_type="CAUSAL_LM",
        target_modules=["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"])
    cases += plain_case("gpt-neox", by_head, 5, "by-head", rng)

    # Fused one behind the other, and a fused gate.
    fused = peft.LoraConfig(
        r=4, lora_alpha=6, task_type="CAUSAL_LM", target_modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"])
    cases += plain_case("phi3", fused, 6, "fused", rng)

    # What o and down add is multiplied once more.
    scaled = peft.LoraConfig(
        r=4, lora_alpha=6, task_type="CAUSAL_LM", target_modules=["q_proj", "k_proj", "o_proj", "up_proj", "down_proj"])
    cases += plain_case("granite", scaled, 7, "scaled", rng)

    made_by = f"tests/golden/lora.py with peft {peft.__version__} and transformers {transformers.__version__}"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (FOLDER / "expected.json").write_text(f'{{"made_by":{json.dumps(made_by)},"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    main()
