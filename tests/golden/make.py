"""Tiny random checkpoints and their expected logits, from an independent implementation.

Run from the repository root: `python tests/golden/make.py NAME…`. It rewrites the folders of these names beside it;
without a name it lists them. `--llama-cpp` before the names only compares what is there with llama.cpp. `arch/` has a module for each architecture; README.md says what the folders hold. The
committed files were made with Python 3.11, torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3, safetensors 0.8.0, gguf
0.19.0, accelerate 1.15.0 and numpy 2.4.6 on an x86-64 CPU. Seeds are fixed: a second run writes the same weights.

In:  the modules of `arch`. Out: one folder per model with safetensors, GGUF files and expected.json.
"""

import json
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as Type
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers.integrations.ggml import GGUF_CONFIG_MAPPING

from arch import every_model

try:
    import llama_cpp
except ImportError:
    llama_cpp = None

HERE = Path(__file__).resolve().parent
GREEDY_TOKENS = 16
# The chosen token leads by at least this much at each greedy step, so that f16 KV cannot change the ids.
GREEDY_MARGIN = 0.15
GGML = {"f32": Type.F32, "f16": Type.F16, "bf16": Type.BF16, "q8_0": Type.Q8_0, "q4_0": Type.Q4_0}
FILE_TYPE = {"f32": 0, "f16": 1, "bf16": 32, "q8_0": 7, "q4_0": 2, "mixed": 15}
MODELS = {model.name: model for model in every_model()}

# --- weights --------------------------------------------------------------------------------------------------------


def random_weights(model, hf, rng):
    """Fill `hf` so that logits spread (std about 2), attention is uneven, and no norm weight or bias is 1 or 0."""
    for name, p in hf.named_parameters():
        draw = torch.from_numpy(rng.standard_normal(tuple(p.shape), dtype=np.float32))
        norm = "norm" in name or ".ln_" in name
        if norm and name.endswith("weight"):
            value = 1 - model.arch.offset(name) + 0.2 * draw
        elif p.ndim == 1:
            value = 0.2 * draw
        elif "wpe" in name:
            value = 0.1 * draw
        elif "embed_tokens" in name or "wte" in name or "lm_head" in name:
            value = 2.0 * draw * p.shape[1] ** -0.5
        else:
            fan_in = p.shape[0] if model.config["model_type"] == "gpt2" else p.shape[1]  # Conv1D is [in, out]
            value = 1.3 * draw * fan_in ** -0.5
        p.data.copy_(value.to(model.stored).float())


def new_hf(config):
    """The model with eager attention in f32, weights not yet set."""
    parsed = transformers.AutoConfig.for_model(**config)
    return transformers.AutoModelForCausalLM.from_config(
        parsed, attn_implementation="eager", dtype=torch.float32).eval()


def write_safetensors(model, hf, folder):
    """config.json and the weights as a hub has them: no tied output, optionally sharded with an index."""
    (folder / "config.json").write_text(json.dumps(model.published or model.config, indent=2) + "\n")
    if not model.safetensors:
        return
    parts = [part for n, p in hf.named_parameters() for part in model.arch.stored(n, p.data.to(model.stored))]
    tensors = {n: tensor.contiguous() for n, tensor in parts}
    if model.bare_names:
        n = model.config["n_positions"]
        tensors = {name.removeprefix("transformer."): t for name, t in tensors.items()}
        for i in range(model.config["n_layer"]):
            tensors[f"h.{i}.attn.bias"] = torch.tril(torch.ones(n, n)).reshape(1, 1, n, n)
    if model.shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    names, where = list(tensors), {}
    cut = -(-len(names) // model.shards)
    for i in range(model.shards):
        part = names[i * cut : (i + 1) * cut]
        file = f"model-{i + 1:05}-of-{model.shards:05}.safetensors"
        save_file({n: tensors[n] for n in part}, folder / file, metadata={"format": "pt"})
        where |= {n: file for n in part}
    index = dict(metadata=dict(total_size=sum(t.nbytes for t in tensors.values())), weight_map=where)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


# --- tokenizer ------------------------------------------------------------------------------------------------------

MERGES = ["h e", "t he", "Ġ the", "i n", "e r"]


def vocabulary(size):
    """`size` tokens of a byte-level BPE: single characters, the five merges, and last `<|endoftext|>`."""
    plain = "ĠĊabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-:;\"()/*+=_#%&@[]<>{}|~^$\\`"
    merged = [m.replace(" ", "") for m in MERGES]
    return list(plain[: size - len(merged) - 1]) + merged + ["<|endoftext|>"]


def write_tokenizer(size, folder):
    tokens = vocabulary(size)
    byte_level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    (folder / "tokenizer.json").write_text(json.dumps(dict(
        version="1.0", truncation=None, padding=None, normalizer=None, post_processor=None,
        added_tokens=[dict(id=size - 1, content=tokens[-1], single_word=False, lstrip=False, rstrip=False,
                           normalized=False, special=True)],
        pre_tokenizer=byte_level, decoder=byte_level,
        model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None,
                   fuse_unk=False, byte_fallback=False, ignore_merges=False,
                   vocab={t: i for i, t in enumerate(tokens)}, merges=MERGES)), ensure_ascii=False) + "\n")


# --- GGUF -----------------------------------------------------------------------------------------------------------


def gguf_parts(model, name, array):
    """[(name in GGUF, array)]: what the converter makes of a weight, but for the offset."""
    parts = model.arch.rearranged(model.config, name, array)
    return [(model.arch.tensor_name(model.config, name), part) for name, part in parts]


def gguf_arrays(model, hf):
    """{name: (array, whether it stays f32)} of the weights as GGUF has them."""
    found = {}
    for name, p in hf.named_parameters():
        offset = model.arch.offset(name)
        for tensor, array in gguf_parts(model, name, p.data.numpy()):
            # Norms and biases stay f32, as llama.cpp's converter and quantiser leave them.
            f32 = array.ndim == 1 or "norm" in name or any(piece in name for piece in model.arch.f32)
            found.setdefault(tensor, ([], f32))[0].append(array + offset if offset else array)
    return {tensor: (np.concatenate(arrays), f32) for tensor, (arrays, f32) in found.items()}


def quantized(array, kind):
    try:
        return gguf.quants.quantize(array, kind)
    except NotImplementedError:
        import ggml  # needs llama-cpp-python
        return ggml.quantize(array, kind)


def write_gguf(model, hf, fmt, path):
    w = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[model.arch.gguf])
    # llama.cpp expects tokens of Phi 3's own in whatever is called phi3.
    w.add_name(f"Cresset golden {model.name}".replace("phi3", "phi 3"))
    w.add_file_type(FILE_TYPE[fmt])
    v = model.config["vocab_size"]
    w.add_vocab_size(v)
    model.arch.metadata(w, hf.config, model.config)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(vocabulary(v))
    w.add_token_types([gguf.TokenType.NORMAL] * (v - 1) + [gguf.TokenType.CONTROL])
    w.add_token_merges(MERGES)
    w.add_bos_token_id(v - 1)
    w.add_eos_token_id(v - 1)
    w.add_add_bos_token(False)
    for name, array in model.arch.tensors(hf, lambda **fields: new_hf(model.config | fields)).items():
        w.add_tensor(name, array)
    for name, (array, f32) in gguf_arrays(model, hf).items():
        kind = Type.F32 if f32 else model.mixture[name] if fmt == "mixed" else GGML[fmt]
        w.add_tensor(name, quantized(array, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    if model.gguf_version != 3:  # version 2 has the same layout
        data = bytearray(path.read_bytes())
        data[4:8] = model.gguf_version.to_bytes(4, "little")
        path.write_bytes(data)


# --- expectations ---------------------------------------------------------------------------------------------------


def load_safetensors(model, folder):
    """The model as a loader of the safetensors files sees it."""
    hf = new_hf(model.config)
    tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(file)
    prefix = "transformer." if model.bare_names else ""
    tensors = {prefix + n: t.float() for n, t in tensors.items() if not n.endswith("attn.bias") or "c_attn" in n}
    for name, p in hf.named_parameters():
        numbers = torch.empty(p.numel())
        # Where each number of the file comes from: the way hubs move indices.
        for stored, indices in model.arch.stored(name, torch.arange(p.numel()).reshape(p.shape)):
            numbers[indices.flatten()] = tensors.pop(stored).flatten()
        p.data.copy_(numbers.reshape(p.shape))
    assert not tensors, tensors.keys()
    return hf


def load_gguf(model, path):
    """The model with the file's own bytes dequantised: the reference for quantised formats."""
    hf = new_hf(model.arch.in_gguf(model.config))
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
    whole = {name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32) for name, t in tensors.items()}
    read = dict.fromkeys(whole, 0)
    for name, p in hf.named_parameters():
        numbers = np.empty(p.numel(), np.float32)
        # Where each number of the file comes from: the way the converter moves indices.
        for tensor, indices in gguf_parts(model, name, np.arange(p.numel()).reshape(p.shape)):
            first = read[tensor]
            read[tensor] = first + len(indices)
            numbers[indices] = whole[tensor][first : read[tensor]].reshape(indices.shape) - model.arch.offset(name)
        p.data.copy_(torch.from_numpy(numbers.reshape(p.shape)))
    return hf


def check_gguf(model, hf, path):
    """transformers' own GGUF loader, where it knows the architecture, must read the file as we do: names, order and,
    where it can, metadata."""
    name = gguf.MODEL_ARCH_NAMES[model.arch.gguf]
    if not model.theirs or name not in GGUF_CONFIG_MAPPING or name != model.config["model_type"]:
        return
    # Its loader knows neither RoPE scaling nor windows nor GPT-2's n_inner: it is given the configuration for those.
    known = not {"rope_scaling", "rope_parameters", "n_inner", "sliding_window"} & model.config.keys()
    given = {} if known else dict(config=hf.config)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, attn_implementation="eager", dtype=torch.float32, **given).eval()
    ids = torch.arange(20)[None]
    with torch.no_grad():
        gap = (theirs(ids).logits - hf(ids).logits).abs().max().item()
    assert gap < 1e-4, f"{path}: transformers' GGUF loader disagrees by {gap}"


# How far llama.cpp may be off where logits spread by 2. It rounds activations as the weights are: to f16, bf16, 8 bits.
LLAMA_CPP_GAP = {"f32": 2e-2, "f16": 2e-2, "bf16": 0.1}
LLAMA_CPP_GAP_QUANTIZED = 0.5


def gap_to_llama_cpp(path, sequences, agreed):
    """The largest difference from llama.cpp's logits of the same file. Its smallest context is 256."""
    theirs = llama_cpp.Llama(str(path), n_ctx=256, logits_all=True, verbose=False, n_threads=1,
                             type_k=Type.F32, type_v=Type.F32)
    largest = 0
    for sequence in sequences:
        ids = sequence["ids"][:agreed]
        theirs.reset()
        theirs.eval(ids)
        for position, logits in zip(sequence.get("positions", range(len(ids))), sequence["logits"]):
            if position < len(ids):
                largest = max(largest, np.abs(theirs.scores[position] - np.array(logits)).max())
    return float(f"{largest:.1e}")


def compare_with_llama_cpp(model):
    """llama.cpp, where llama-cpp-python is installed, must compute the same from the same files; expected.json says by
    which version, and by how much it is off."""
    path = HERE / model.name / "expected.json"
    if llama_cpp is None or not model.gguf:
        return
    expected, gaps = json.loads(path.read_text()), {}
    for case in expected["cases"]:
        for file in case["files"] if "context" not in case else []:
            if file.endswith(".gguf"):
                gaps[file] = gap_to_llama_cpp(path.with_name(file), case["sequences"], model.agreed)
    for file, gap in gaps.items():
        print(f"  {file}: llama.cpp {llama_cpp.__version__} differs by {gap}")
        most = LLAMA_CPP_GAP.get(file.removesuffix(".gguf"), LLAMA_CPP_GAP_QUANTIZED)
        assert gap < most, f"{model.name}/{file}: llama.cpp disagrees by {gap}"
    expected["llama_cpp"] = dict(made_by=f"llama-cpp-python {llama_cpp.__version__}", largest_gap=gaps)
    write_json(path, expected, expected.pop("cases"))


@torch.no_grad()
def logits_of(hf, ids):
    """[T, V] f32 for ids [T], without a cache."""
    return hf(torch.tensor([ids]), use_cache=False).logits[0]


def greedy(hf, prompt):
    """The greedy continuation, and the smallest lead of a chosen token over the second."""
    ids, margin = list(prompt), float("inf")
    for _ in range(GREEDY_TOKENS):
        first, second = torch.topk(logits_of(hf, ids)[-1], 2).values.tolist()
        margin = min(margin, first - second)
        ids.append(int(logits_of(hf, ids)[-1].argmax()))
    return ids[len(prompt):], margin


def greedy_prompt(models, vocab, rng, length=5):
    """A prompt whose greedy continuation is clear-cut in each of `models`."""
    for _ in range(200):
        prompts = rng.integers(0, vocab, (32, length))
        for hf in models:
            prompts = clear_cut(hf, prompts)
        # Alone, numbers may come out slightly different.
        for prompt in prompts.tolist():
            if all(greedy(hf, prompt)[1] >= GREEDY_MARGIN for hf in models):
                return prompt
    raise SystemExit("no clear-cut greedy prompt: change the seed or the margin")


@torch.no_grad()
def clear_cut(hf, prompts):
    """Those of `prompts` [N, T] whose greedy continuation leads by the margin at each step."""
    ids = torch.from_numpy(prompts)
    for _ in range(GREEDY_TOKENS if len(ids) else 0):
        top = torch.topk(hf(ids, use_cache=False).logits[:, -1], 2)
        clear = top.values[:, 0] - top.values[:, 1] >= GREEDY_MARGIN
        ids = torch.cat([ids, top.indices[:, :1]], 1)[clear]
        if not len(ids):
            break
    return ids[:, : prompts.shape[1]].numpy()


def rounded(logits):
    return [[float(f"{x:.6g}") for x in row] for row in logits.tolist()]


def expected_case(model, case, files, hf, sequences, prompt):
    """An entry of expected.json: what the model in `files` computes."""
    all_logits = [logits_of(hf, ids) for ids in sequences]
    spread = torch.cat(all_logits).std().item()
    assert 1 < spread < 4, f"{model.name} {files}: logits have std {spread}"
    shown, kept = [], []
    for ids, logits in zip(sequences, all_logits):
        count = min(case.shown or len(ids), len(ids))
        # The last, and others at equal distances before it.
        positions = sorted({len(ids) - 1 - i * len(ids) // count for i in range(count)})
        shown.append(dict(ids=ids, positions=positions, logits=rounded(logits[positions])))
        if case.shown is None:
            del shown[-1]["positions"]
    ids, margin = greedy(hf, prompt)
    print(f"  {', '.join(files)}: logits std {spread:.2f}, greedy margin {margin:.2f}")
    context = dict(context=case.context) if case.context else {}
    return dict(files=files, **context, sequences=shown, greedy=dict(prompt=prompt, ids=ids))


def write_expected(model, groups, folder, rng):
    """`groups`: lists of files with the same weights, each with its loaded model."""
    vocab = model.config["vocab_size"]
    text = "the hen in the inn"
    cases = []
    for case in model.cases:
        sequences = [rng.integers(0, vocab, n).tolist() for n in case.lengths]
        prompt = greedy_prompt([hf for _, hf in groups], vocab, rng, case.prompt)
        cases += [expected_case(model, case, files, hf, sequences, prompt) for files, hf in groups]
    made_by = f"tests/golden/make.py with transformers {transformers.__version__} and torch {torch.__version__}"
    tokens = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    write_json(folder / "expected.json", dict(made_by=made_by, text=text, text_ids=tokens), cases)


def write_json(path, head, cases):
    """A line for each case."""
    lines = [json.dumps(case, separators=(",", ":")) for case in cases]
    path.write_text(json.dumps(head)[:-1] + ',"cases":[\n' + ",\n".join(lines) + "\n]}\n")


def make(model):
    print(model.name)
    rng = np.random.default_rng(sum(model.name.encode()))
    folder = HERE / model.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    hf = new_hf(model.config)
    random_weights(model, hf, rng)
    write_safetensors(model, hf, folder)
    write_tokenizer(model.config["vocab_size"], folder)
    main = "model.safetensors" if model.shards == 1 else "model.safetensors.index.json"
    groups = [([main], load_safetensors(model, folder))] if model.safetensors else []
    longest = list(range(max(max(case.lengths) for case in model.cases)))
    for fmt in model.gguf:
        path = folder / f"{fmt}.gguf"
        write_gguf(model, hf, fmt, path)
        loaded = load_gguf(model, path)
        check_gguf(model, loaded, path)
        ids = [i % model.config["vocab_size"] for i in longest]
        same = [g for g in groups if torch.equal(logits_of(g[1], ids), logits_of(loaded, ids))]
        if same:
            same[0][0].append(path.name)
        else:
            groups.append(([path.name], loaded))
    write_expected(model, groups, folder, rng)
    compare_with_llama_cpp(model)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    compare_only = sys.argv[1:2] == ["--llama-cpp"]
    names = sys.argv[2 if compare_only else 1:]
    if not names or set(names) - MODELS.keys():
        raise SystemExit(f"usage: make.py [--llama-cpp] NAME…\nnames: {' '.join(MODELS)}")
    for each in names:
        if compare_only:
            print(each)
        (compare_with_llama_cpp if compare_only else make)(MODELS[each])
