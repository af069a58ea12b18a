"""Tiny random checkpoints and their expected logits, from an independent implementation.

Run from the repository root: `python tests/golden/make.py`. It rewrites every folder beside it; README.md there says
what they hold. The committed files were made with Python 3.11, torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3,
safetensors 0.8.0, gguf 0.19.0, accelerate 1.15.0 and numpy 2.4.6 on an x86-64 CPU. Seeds are fixed: a second run writes the same weights.

In:  nothing. Out: one folder per model with safetensors, GGUF files and expected.json.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as Type
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
LENGTHS = (1, 7, 40)
GREEDY_TOKENS = 16
# The chosen token leads by at least this much at each greedy step, so that f16 KV cannot change the ids.
GREEDY_MARGIN = 0.15
EVERY = ("f32", "f16", "bf16", "q8_0", "q4_0")
GGML = {"f32": Type.F32, "f16": Type.F16, "bf16": Type.BF16, "q8_0": Type.Q8_0, "q4_0": Type.Q4_0}
FILE_TYPE = {"f32": 0, "f16": 1, "bf16": 32, "q8_0": 7, "q4_0": 2}


@dataclass
class Model:
    """One fixture. `config` is the text of config.json, in the spelling that hubs have."""

    name: str
    config: dict
    stored: torch.dtype  # type of the safetensors file; the weights are rounded to it first
    gguf: tuple = ("f32",)
    shards: int = 1
    gguf_version: int = 3
    bare_names: bool = False  # gpt2: tensor names without the `transformer.` prefix


def llama(**fields):
    base = dict(
        architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", num_hidden_layers=2,
        rms_norm_eps=1e-5, rope_theta=10000.0, max_position_embeddings=128, tie_word_embeddings=False,
        attention_bias=False, mlp_bias=False)
    config = base | fields
    return config | dict(bos_token_id=config["vocab_size"] - 1, eos_token_id=config["vocab_size"] - 1)


def gpt2(**fields):
    base = dict(
        architectures=["GPT2LMHeadModel"], model_type="gpt2", activation_function="gelu_new",
        layer_norm_epsilon=1e-5, n_ctx=64, n_positions=64)
    config = base | fields
    return config | dict(bos_token_id=config["vocab_size"] - 1, eos_token_id=config["vocab_size"] - 1)


MODELS = [
    Model(  # grouped-query attention, untied output, every format, two shards
        "llama-gqa",
        llama(hidden_size=64, num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=96,
              vocab_size=96),
        torch.float32, EVERY, shards=2),
    Model(  # multi-head, tied output, sizes that are no multiple of 32, another theta and epsilon, no head_dim key
        "llama-tied",
        llama(hidden_size=48, num_attention_heads=3, num_key_value_heads=3, intermediate_size=100, vocab_size=77,
              rope_theta=50000.0, rms_norm_eps=1e-6, tie_word_embeddings=True),
        torch.bfloat16),
    Model(  # head_dim that is not hidden_size / heads; Llama 3's RoPE scaling (GGUF: rope_freqs.weight)
        "llama-rope3",
        llama(hidden_size=64, num_attention_heads=4, num_key_value_heads=1, head_dim=32, intermediate_size=96,
              vocab_size=80, num_hidden_layers=1, rope_scaling=dict(
                  rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=32)),
        torch.float16, ("f32", "q8_0")),
    Model(  # linear RoPE scaling in the spelling of transformers 5 (`rope_parameters`); GGUF version 2
        "llama-linear",
        {k: v for k, v in llama(
            hidden_size=32, num_attention_heads=2, num_key_value_heads=2, head_dim=16, intermediate_size=64,
            vocab_size=80, num_hidden_layers=1,
            rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=20000.0)).items() if k != "rope_theta"},
        torch.float32, gguf_version=2),
    Model(
        "gpt2-small",
        gpt2(n_embd=64, n_head=4, n_layer=2, n_inner=160, vocab_size=90),
        torch.float16, ("f32", "f16", "q8_0", "q4_0")),
    Model(  # the original upload's spelling: no prefix, the causal mask stored as a tensor, n_inner absent
        "gpt2-bare",
        gpt2(n_embd=32, n_head=2, n_layer=1, vocab_size=78),
        torch.float32, gguf=(), bare_names=True),
]

# --- weights --------------------------------------------------------------------------------------------------------


def random_weights(model, hf, rng):
    """Fill `hf` so that logits spread (std about 2), attention is uneven, and no norm weight or bias is 1 or 0."""
    for name, p in hf.named_parameters():
        draw = torch.from_numpy(rng.standard_normal(tuple(p.shape), dtype=np.float32))
        norm = "norm" in name or ".ln_" in name
        if norm and name.endswith("weight"):
            value = 1 + 0.2 * draw
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
    (folder / "config.json").write_text(json.dumps(model.config, indent=2) + "\n")
    tensors = {n: p.data.to(model.stored).contiguous() for n, p in hf.named_parameters()}
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


def interleave(weight, heads):
    """Rows of a q or k projection from half-split to adjacent RoPE pairs, as llama.cpp's converter orders them."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def deinterleave(weight, heads):
    """The inverse of `interleave`."""
    return weight.reshape(heads, weight.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)


def gguf_name(config, name):
    arch = gguf.MODEL_ARCH.LLAMA if config["model_type"] == "llama" else gguf.MODEL_ARCH.GPT2
    layers = config.get("num_hidden_layers") or config["n_layer"]
    return gguf.get_tensor_name_map(arch, layers).get_name(name, try_suffixes=(".weight", ".bias"))


def gguf_view(config, name, array, interleaver):
    """A weight as GGUF orders it (and, with `deinterleave`, back again: the transposition is its own inverse)."""
    if config["model_type"] == "gpt2":
        conv1d = array.ndim == 2 and ("c_attn" in name or "c_proj" in name or "c_fc" in name)
        return np.ascontiguousarray(array.T if conv1d else array)
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for part, n in heads.items():
        if part in name:
            return np.ascontiguousarray(interleaver(array, n))
    return array


def gguf_type(name, array, fmt):
    """Norms, biases and position embeddings stay f32, as llama.cpp's converter and quantiser leave them."""
    return Type.F32 if array.ndim == 1 or "wpe" in name else GGML[fmt]


def add_metadata(w, model, fmt):
    c = model.config
    w.add_name(f"Cresset golden {model.name}")
    w.add_file_type(FILE_TYPE[fmt])
    w.add_vocab_size(c["vocab_size"])
    if c["model_type"] == "gpt2":
        w.add_context_length(c["n_positions"])
        w.add_embedding_length(c["n_embd"])
        w.add_block_count(c["n_layer"])
        w.add_feed_forward_length(c["n_inner"])
        w.add_head_count(c["n_head"])
        w.add_layer_norm_eps(c["layer_norm_epsilon"])
    else:
        head_dim = c.get("head_dim", c["hidden_size"] // c["num_attention_heads"])
        rope = c.get("rope_parameters", {})
        w.add_context_length(c["max_position_embeddings"])
        w.add_embedding_length(c["hidden_size"])
        w.add_block_count(c["num_hidden_layers"])
        w.add_feed_forward_length(c["intermediate_size"])
        w.add_head_count(c["num_attention_heads"])
        w.add_head_count_kv(c["num_key_value_heads"])
        w.add_layer_norm_rms_eps(c["rms_norm_eps"])
        w.add_rope_freq_base(rope.get("rope_theta", c.get("rope_theta")))
        w.add_rope_dimension_count(head_dim)
        if "head_dim" in c:
            w.add_key_length(head_dim)
            w.add_value_length(head_dim)
        if rope.get("rope_type") == "linear":
            w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            w.add_rope_scaling_factor(rope["factor"])
    v = c["vocab_size"]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(vocabulary(v))
    w.add_token_types([gguf.TokenType.NORMAL] * (v - 1) + [gguf.TokenType.CONTROL])
    w.add_token_merges(MERGES)
    w.add_bos_token_id(v - 1)
    w.add_eos_token_id(v - 1)
    w.add_add_bos_token(False)


def write_gguf(model, hf, fmt, path):
    w = gguf.GGUFWriter(path, model.config["model_type"])
    add_metadata(w, model, fmt)
    if (model.config.get("rope_scaling") or {}).get("rope_type") == "llama3":
        # llama.cpp keeps Llama 3's scaling as a divisor per frequency.
        plain = new_hf({k: v for k, v in model.config.items() if k != "rope_scaling"})
        factors = plain.model.rotary_emb.inv_freq / hf.model.rotary_emb.inv_freq
        assert (factors > 1.5).any() and (factors == 1).any(), "the scaling must show within the test's lengths"
        w.add_tensor("rope_freqs.weight", factors.numpy().astype(np.float32))
    for name, p in hf.named_parameters():
        array = gguf_view(model.config, name, p.data.numpy(), interleave)
        kind = gguf_type(name, array, fmt)
        w.add_tensor(gguf_name(model.config, name), gguf.quants.quantize(array, kind), raw_dtype=kind)
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
        p.data.copy_(tensors.pop(name))
    assert not tensors, tensors.keys()
    return hf


def load_gguf(model, path):
    """The model with the file's own bytes dequantised: the reference for quantised formats."""
    hf = new_hf(model.config)
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
    for name, p in hf.named_parameters():
        t = tensors[gguf_name(model.config, name)]
        array = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)
        p.data.copy_(torch.from_numpy(gguf_view(model.config, name, array, deinterleave).copy()))
    return hf


def check_gguf(model, hf, path):
    """transformers' own GGUF loader must read the file as we do: names, order and, where it can, metadata."""
    # Its loader knows neither RoPE scaling nor GPT-2's n_inner: it is given the configuration for those.
    known = not {"rope_scaling", "rope_parameters", "n_inner"} & model.config.keys()
    given = {} if known else dict(config=hf.config)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, attn_implementation="eager", dtype=torch.float32, **given).eval()
    ids = torch.arange(20)[None]
    with torch.no_grad():
        gap = (theirs(ids).logits - hf(ids).logits).abs().max().item()
    assert gap < 1e-4, f"{path}: transformers' GGUF loader disagrees by {gap}"


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


def greedy_prompt(models, vocab, rng):
    """A prompt whose greedy continuation is clear-cut in each of `models`."""
    for _ in range(5000):
        prompt = rng.integers(0, vocab, 5).tolist()
        if all(greedy(hf, prompt)[1] >= GREEDY_MARGIN for hf in models):
            return prompt
    raise SystemExit("no clear-cut greedy prompt: change the seed or the margin")


def rounded(logits):
    return [[float(f"{x:.6g}") for x in row] for row in logits.tolist()]


def write_expected(model, groups, folder, rng):
    """`groups`: lists of files with the same weights, each with its loaded model."""
    vocab = model.config["vocab_size"]
    sequences = [rng.integers(0, vocab, n).tolist() for n in LENGTHS]
    prompt = greedy_prompt([hf for _, hf in groups], vocab, rng)
    text = "the hen in the inn"
    cases = []
    for files, hf in groups:
        all_logits = [logits_of(hf, ids) for ids in sequences]
        spread = torch.cat(all_logits).std().item()
        assert 1 < spread < 4, f"{model.name} {files}: logits have std {spread}"
        ids, margin = greedy(hf, prompt)
        print(f"  {', '.join(files)}: logits std {spread:.2f}, greedy margin {margin:.2f}")
        cases.append(dict(
            files=files,
            sequences=[dict(ids=s, logits=rounded(x)) for s, x in zip(sequences, all_logits)],
            greedy=dict(prompt=prompt, ids=ids)))
    made_by = f"tests/golden/make.py with transformers {transformers.__version__} and torch {torch.__version__}"
    tokens = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    lines = [json.dumps(case, separators=(",", ":")) for case in cases]
    head = json.dumps(dict(made_by=made_by, text=text, text_ids=tokens))[:-1]
    (folder / "expected.json").write_text(head + ',"cases":[\n' + ",\n".join(lines) + "\n]}\n")


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
    groups = [([main], load_safetensors(model, folder))]
    for fmt in model.gguf:
        path = folder / f"{fmt}.gguf"
        write_gguf(model, hf, fmt, path)
        loaded = load_gguf(model, path)
        check_gguf(model, loaded, path)
        same = [g for g in groups if torch.equal(logits_of(g[1], [1, 2, 3]), logits_of(loaded, [1, 2, 3]))]
        if same:
            same[0][0].append(path.name)
        else:
            groups.append(([path.name], loaded))
    write_expected(model, groups, folder, rng)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for each in MODELS:
        make(each)
