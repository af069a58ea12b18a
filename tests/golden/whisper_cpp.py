"""Writes a Whisper folder of the hub as whisper.cpp's `ggml-*.bin`, in the layout that its models/convert-pt-to-ggml.py documents.

`python tests/golden/whisper_cpp.py FOLDER FILE [f32|f16|q8_0]`; `speech.py` calls it for tests/golden/speech/ggml-whisper.bin. Made with
torch 2.15.0, transformers 5.23.0 and gguf 0.19.0, which quantises. Nothing in the engine took part.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import transformers as tf
from safetensors.numpy import load_file

# GPT-2's alphabet: bytes that can be seen stand for themselves, others for letters from U+0100 on.
VISIBLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
HIDDEN = [byte for byte in range(256) if byte not in VISIBLE]
BYTES = {chr(byte): byte for byte in VISIBLE} | {chr(256 + i): byte for i, byte in enumerate(HIDDEN)}
TYPES = dict(f32=0, f16=1, q8_0=8)
PARTS = {
    "self_attn.q_proj": "attn.query", "self_attn.k_proj": "attn.key", "self_attn.v_proj": "attn.value",
    "self_attn.out_proj": "attn.out", "self_attn_layer_norm": "attn_ln", "encoder_attn.q_proj": "cross_attn.query",
    "encoder_attn.k_proj": "cross_attn.key", "encoder_attn.v_proj": "cross_attn.value",
    "encoder_attn.out_proj": "cross_attn.out", "encoder_attn_layer_norm": "cross_attn_ln", "fc1": "mlp.0", "fc2": "mlp.2",
    "final_layer_norm": "mlp_ln",
}
OTHERS = {
    "encoder.layer_norm": "encoder.ln_post", "decoder.layer_norm": "decoder.ln",
    "encoder.embed_positions.weight": "encoder.positional_embedding",
    "decoder.embed_positions.weight": "decoder.positional_embedding",
    "decoder.embed_tokens": "decoder.token_embedding",
}


def renamed(name):
    name = name.removeprefix("model.").replace(".layers.", ".blocks.")
    if ".blocks." in name:
        head, layer, part = name.split(".", 3)[0], name.split(".", 3)[2], name.split(".", 3)[3]
        part, kind = part.rsplit(".", 1)
        return f"{head}.blocks.{layer}.{PARTS[part]}.{kind}"
    for hub, other in OTHERS.items():
        name = name.replace(hub, other)
    return name


def convert(folder, path, kind="f16"):
    config = json.loads((folder / "config.json").read_text())
    vocab = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    vocab.pop("<|endoftext|>", None)
    filters = tf.WhisperFeatureExtractor(feature_size=config["num_mel_bins"]).mel_filters.T.astype(np.float32)
    with open(path, "wb") as out:
        sizes = ["vocab_size", "max_source_positions", "d_model", "encoder_attention_heads", "encoder_layers",
                 "max_target_positions", "d_model", "decoder_attention_heads", "decoder_layers", "num_mel_bins"]
        out.write(struct.pack("<12i", 0x67676D6C, *[config[size] for size in sizes], {"q8_0": 2007}.get(kind, TYPES.get(kind))))
        out.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        out.write(struct.pack("<i", len(vocab)))
        for token in sorted(vocab, key=vocab.get):
            token = bytes(BYTES[letter] for letter in token)
            out.write(struct.pack("<i", len(token)) + token)
        for name, data in load_file(folder / "model.safetensors").items():
            if name == "proj_out.weight":
                continue
            name = renamed(name)
            if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
                data = data[:, None]
            matrix = data.ndim > 1 and not name.endswith(("bias", "positional_embedding"))
            own = kind if matrix and (kind != "q8_0" or data.ndim == 2) else "f16" if matrix else "f32"
            shape, name = data.shape[::-1], name.encode()
            if own == "q8_0":
                import gguf

                data = gguf.quants.quantize(data.astype(np.float32), gguf.GGMLQuantizationType.Q8_0)
            else:
                data = data.astype(np.float32 if own == "f32" else np.float16)
            out.write(struct.pack(f"<{3 + len(shape)}i", len(shape), len(name), TYPES[own], *shape) + name + data.tobytes())


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
