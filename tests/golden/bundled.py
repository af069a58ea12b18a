"""What the bundled model computes, by an independent implementation: Hugging Face transformers on PyTorch.

Run from the repository root: `python tests/golden/bundled.py [MODEL.gguf [HELD_OUT.txt]]`. It rewrites bundled.json
for the catalogue's default model; with another model it prints the same instead; with held-out text it also prints bits
a byte as `cresset train` measures them. Made with Python 3.11, torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3 and
gguf 0.19.0 on an x86-64 CPU.

In:  the GGUF file, dequantised by the `gguf` package. Out: [{prompt, ids (BOS first), last_logits, greedy_ids,
greedy_text, margins (lead of each greedy id over the next best), min_margin (the least), made_by, sha256 (of the file)}].
"""

import hashlib
import json
import math
import sys
from pathlib import Path

import gguf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

ROOT = Path(__file__).resolve().parents[2]
# Those are kept whose greedy ids lead most clearly: a near tie would test rounding, not the engine.
PROMPTS = [
    "", "Once upon a time", "Lily and her dog went to the", "One day, a boy named Tim found a big red ball in the park. He",
    "The little robot was sad because", "There was once a cat who", "Mom said,", "Ben and his sister like to",
    "The sun was warm and the", "Once there was a big bear. The bear was", "Sue had a new doll.", "It was raining, so Max",
]
# Bytes that no training text has.
ODD_PROMPTS = [
    'Zoo! 12 cats, 3 dogs... été 😀', "The café was très joli. 😀 Tom", "Zoë (7) and José said: «hola»! Then", "日本 was 1000 km away. The bird",
]
KEPT, KEPT_ODD = 3, 1
GREEDY_TOKENS = 64


def read(path):
    """A transformers model and a tokenizer from a GGUF file."""
    file = gguf.GGUFReader(path)
    value = lambda key: file.fields[key].contents()
    tensors = {t.name: torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).copy()) for t in file.tensors}
    heads, kv_heads = value("llama.attention.head_count"), value("llama.attention.head_count_kv")
    config = LlamaConfig(
        vocab_size=value("llama.vocab_size"),
        hidden_size=value("llama.embedding_length"),
        intermediate_size=value("llama.feed_forward_length"),
        num_hidden_layers=value("llama.block_count"),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=value("llama.context_length"),
        rms_norm_eps=value("llama.attention.layer_norm_rms_epsilon"),
        rope_theta=value("llama.rope.freq_base"),
        tie_word_embeddings="output.weight" not in tensors,
    )

    def halves(rows, n):
        """GGUF's adjacent rotary pairs back to transformers' halves."""
        return rows.reshape(n, rows.shape[0] // n // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)

    names = {
        "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    }
    state = {"model.embed_tokens.weight": tensors["token_embd.weight"], "model.norm.weight": tensors["output_norm.weight"]}
    state["lm_head.weight"] = tensors.get("output.weight", tensors["token_embd.weight"])
    for i in range(config.num_hidden_layers):
        for ours, theirs in names.items():
            rows = tensors[f"blk.{i}.{ours}.weight"]
            if ours in ("attn_q", "attn_k"):
                rows = halves(rows, heads if ours == "attn_q" else kv_heads)
            state[f"model.layers.{i}.{theirs}.weight"] = rows
    model = LlamaForCausalLM(config)
    model.load_state_dict(state)
    model.eval()

    tokens = value("tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in value("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, value("tokenizer.ggml.token_type")) if kind == 3]
    tokenizer.add_special_tokens(control)
    bos = [value("tokenizer.ggml.bos_token_id")] if value("tokenizer.ggml.add_bos_token") else []
    return model, tokenizer, bos


def case(model, tokenizer, bos, prompt):
    ids = bos + tokenizer.encode(prompt).ids
    logits = model(torch.tensor([ids])).logits[0, -1]
    greedy, margins, row = [], [], logits
    for _ in range(GREEDY_TOKENS):
        first, second = row.topk(2).values.tolist()
        margins.append(first - second)
        greedy.append(int(row.argmax()))
        row = model(torch.tensor([ids + greedy])).logits[0, -1]
    return {
        "prompt": prompt,
        "ids": ids,
        "last_logits": [round(x, 5) for x in logits.tolist()],
        "greedy_ids": greedy,
        "greedy_text": tokenizer.decode(greedy),
        "min_margin": min(margins),
        "margins": [round(x, 4) for x in margins],
    }


def bits_per_byte(model, tokenizer, bos, path):
    """Documents joined, each after its separator, in windows of the context that do not overlap."""
    stories = [s.strip() for s in Path(path).read_text(encoding="utf-8").split("<|endoftext|>")]
    stream = [i for s in stories if s for i in bos + tokenizer.encode(s).ids] + bos
    context = model.config.max_position_embeddings
    nats = size = 0
    for start in range(0, len(stream) - context, context):
        ids, targets = torch.tensor([stream[start : start + context]]), stream[start + 1 : start + context + 1]
        rows = model(ids).logits[0].log_softmax(-1)
        nats -= rows[range(context), targets].sum().item()
        size += sum(len(tokenizer.id_to_token(t)) for t in targets if t not in bos)
    return nats / math.log(2) / size


@torch.no_grad()
def main(path=None, held_out=None):
    models_dir = ROOT / "www/models"
    stories = next(m for m in json.loads((models_dir / "catalogue.json").read_text()) if m["id"] == "stories")
    file = Path(path) if path else models_dir / stories["file"]
    loaded = read(file)
    made_by = {"made_by": "tests/golden/bundled.py", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    clearest = lambda prompts: sorted((case(*loaded, p) for p in prompts), key=lambda c: -c["min_margin"])
    cases = [c | made_by for c in clearest(PROMPTS)[:KEPT] + clearest(ODD_PROMPTS)[:KEPT_ODD]]
    for c in cases:
        print(f"{c['prompt']!r}: {c['greedy_text']!r} (margin {c['min_margin']:.4f})")
    if not path or file.resolve() == (models_dir / stories["file"]).resolve():
        out = ROOT / "tests/golden/bundled.json"
        out.write_text("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")
    if held_out:
        print(f"{bits_per_byte(*loaded, held_out):.4f} bits a byte")


if __name__ == "__main__":
    main(*sys.argv[1:])
