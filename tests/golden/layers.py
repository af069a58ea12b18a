"""Tiny random models whose layers differ in heads, heads of keys and values, and width of the feed-forward layer, and their
expected logits. No model of transformers is so, and llama.cpp's llama takes the first layer's numbers for all: the forward is
written out here, in float64, and first held to transformers' logits of the golden files that the new ones are made after.

Run from the repository root: `python tests/golden/layers.py`. It needs numpy and gguf; the committed files were made with
numpy 2.4.6 and gguf 0.19.0.

In: llama-gqa/f32.gguf and qwen3/f32.gguf. Out: the folders llama-layers and qwen3-layers, with f32.gguf and expected.json.
"""

import json
from pathlib import Path

import gguf
import numpy as np

HERE = Path(__file__).resolve().parent
# (heads, heads of keys and values, width of the feed-forward layer) of each layer.
LAYERS = [(4, 2, 96), (2, 2, 40), (6, 1, 132)]
GREEDY_TOKENS = 16
# As make.py has it.
GREEDY_MARGIN = 0.15


class Model:
    """A GGUF file of a llama, or of a Qwen 3, which also normalises queries and keys."""

    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.fields = {name: field.contents() for name, field in reader.fields.items()}
        self.types = {name: field.types for name, field in reader.fields.items()}
        self.tensors = {t.name: np.array(t.data, np.float64) for t in reader.tensors}
        self.family = self.fields["general.architecture"]

    def number(self, key):
        return self.fields[f"{self.family}.{key}"]

    def of_layer(self, key, layer):
        number = self.number(key)
        return number[layer] if isinstance(number, list) else number

    def norm(self, x, weight):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.number("attention.layer_norm_rms_epsilon")) * weight

    def turned(self, x):
        """Rotary positions of x [T, H, head]: pairs are neighbours in a llama, half a head apart in a Qwen."""
        half = x.shape[2] // 2
        angles = np.arange(len(x))[:, None] * self.number("rope.freq_base") ** -(np.arange(half) / half)
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        out = np.empty_like(x)
        first, second = (np.s_[..., ::2], np.s_[..., 1::2]) if self.family == "llama" else (np.s_[..., :half], np.s_[..., half:])
        out[first], out[second] = x[first] * cos - x[second] * sin, x[first] * sin + x[second] * cos
        return out

    def attention(self, x, layer):
        tensor = lambda name: self.tensors[f"blk.{layer}.attn_{name}.weight"]
        heads, kv_heads = (self.of_layer(f"attention.head_count{kv}", layer) for kv in ("", "_kv"))
        q, k, v = ((x @ tensor(name).T).reshape(len(x), n, -1) for name, n in (("q", heads), ("k", kv_heads), ("v", kv_heads)))
        if self.family == "qwen3":
            q, k = self.norm(q, tensor("q_norm")), self.norm(k, tensor("k_norm"))
        q, k = self.turned(q), self.turned(k)
        k, v = (np.repeat(t, heads // kv_heads, axis=1) for t in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(q.shape[2])
        scores[:, np.triu(np.ones((len(x), len(x)), bool), 1)] = -np.inf
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return np.einsum("hqk,khd->qhd", weights, v).reshape(len(x), -1) @ tensor("output").T

    def feed_forward(self, x, layer):
        tensor = lambda name: self.tensors[f"blk.{layer}.ffn_{name}.weight"]
        gate = x @ tensor("gate").T
        return (gate / (1 + np.exp(-gate)) * (x @ tensor("up").T)) @ tensor("down").T

    def logits(self, ids):
        """[T, V] for ids [T]."""
        x = self.tensors["token_embd.weight"][ids]
        for i in range(self.number("block_count")):
            x = x + self.attention(self.norm(x, self.tensors[f"blk.{i}.attn_norm.weight"]), i)
            x = x + self.feed_forward(self.norm(x, self.tensors[f"blk.{i}.ffn_norm.weight"]), i)
        head = self.tensors.get("output.weight", self.tensors["token_embd.weight"])
        return self.norm(x, self.tensors["output_norm.weight"]) @ head.T


def check(model, expected):
    """Whether this forward is transformers'."""
    for case in expected["cases"]:
        for sequence in case["sequences"] if "f32.gguf" in case["files"] else []:
            ids = sequence["ids"]
            got = model.logits(ids)[sequence.get("positions", range(len(ids)))]
            gap = np.abs(got - np.array(sequence["logits"])).max()
            assert gap < 1e-4, f"transformers disagrees by {gap}"


def matrix(rng, rows, columns, scale=1.3):
    return (scale * columns ** -0.5 * rng.standard_normal((rows, columns))).astype(np.float32)


def norm(rng, n):
    return (1 + 0.2 * rng.standard_normal(n)).astype(np.float32)


def layers(base, rng):
    """New tensors of every layer."""
    d, head = base.number("embedding_length"), base.number("attention.key_length")
    for i, (heads, kv_heads, width) in enumerate(LAYERS):
        yield f"blk.{i}.attn_norm.weight", norm(rng, d)
        for name, n in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
            yield f"blk.{i}.attn_{name}.weight", matrix(rng, n * head, d)
        if base.family == "qwen3":
            for name in ("q", "k"):
                yield f"blk.{i}.attn_{name}_norm.weight", norm(rng, head)
        yield f"blk.{i}.attn_output.weight", matrix(rng, d, heads * head)
        yield f"blk.{i}.ffn_norm.weight", norm(rng, d)
        for name in ("gate", "up"):
            yield f"blk.{i}.ffn_{name}.weight", matrix(rng, width, d)
        yield f"blk.{i}.ffn_down.weight", matrix(rng, d, width)


def write(base, name, rng, path):
    """The file of `base` with other layers."""
    writer = gguf.GGUFWriter(path, base.family)
    heads, kv_heads, widths = (list(column) for column in zip(*LAYERS))
    changed = dict(zip(("block_count", "attention.head_count", "attention.head_count_kv", "feed_forward_length"),
                       (len(LAYERS), heads, kv_heads, widths)))
    changed = {f"{base.family}.{key}": value for key, value in changed.items()} | {"general.name": f"Cresset golden {name}"}
    for key, value in base.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        value = changed.get(key, value)
        if isinstance(value, list):
            own = gguf.GGUFValueType.UINT32 if key in changed else base.types[key][1]
            writer.add_key_value(key, value, gguf.GGUFValueType.ARRAY, own)
        else:
            writer.add_key_value(key, value, base.types[key][0])
    for tensor in ("token_embd.weight", "output_norm.weight", "output.weight"):
        if tensor in base.tensors:
            writer.add_tensor(tensor, base.tensors[tensor].astype(np.float32))
    for tensor, array in layers(base, rng):
        writer.add_tensor(tensor, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def greedy(model, prompt):
    """The greedy continuation; none where a chosen token leads by too little."""
    ids = list(prompt)
    for _ in range(GREEDY_TOKENS):
        row = model.logits(ids)[-1]
        second, first = np.sort(row)[-2:]
        if first - second < GREEDY_MARGIN:
            return None
        ids.append(int(row.argmax()))
    return ids[len(prompt):]


def case(model, rng, vocabulary):
    sequences = []
    for length, positions in ((1, [0]), (9, [2, 4, 6, 8]), (48, [11, 23, 35, 47])):
        ids = [int(id) for id in rng.integers(0, vocabulary, length)]
        logits = [[float(f"{x:.6g}") for x in row] for row in model.logits(ids)[positions]]
        sequences.append(dict(ids=ids, positions=positions, logits=logits))
    while True:
        prompt = [int(id) for id in rng.integers(0, vocabulary, 5)]
        if answer := greedy(model, prompt):
            return dict(files=["f32.gguf"], sequences=sequences, greedy=dict(prompt=prompt, ids=answer))


def make(base_name, name):
    base, expected = Model(HERE / base_name / "f32.gguf"), json.loads((HERE / base_name / "expected.json").read_text())
    check(base, expected)
    rng = np.random.default_rng(sum(name.encode()))
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    write(base, name, rng, folder / "f32.gguf")
    model = Model(folder / "f32.gguf")
    head = dict(made_by="tests/golden/layers.py", text=expected["text"], text_ids=expected["text_ids"])
    line = json.dumps(case(model, rng, len(base.tensors["token_embd.weight"])), separators=(",", ":"))
    (folder / "expected.json").write_text(json.dumps(head)[:-1] + ',"cases":[\n' + line + "\n]}\n")


if __name__ == "__main__":
    for base_name in ("llama-gqa", "qwen3"):
        make(base_name, base_name.split("-")[0] + "-layers")
