"""Tiny random speech models, and what Hugging Face transformers hears with them.

Run from the repository root: `python tests/golden/speech.py` rewrites tests/golden/speech/. Made
with torch 2.15.0 and transformers 5.23.0. Nothing in the engine took part.

Each folder: safetensors as transformers saves them, config.json, generation_config.json, a tokenizer.json that lacks the times
(as those of the hub may), and expected.json: {made_by, seconds, mel, ids, logits, heard, alignment}. The sound is made by a formula, so
that it need not be kept; `mel` are the feature extractor's numbers of each ninth frame, [frames][bands]; `logits` those after each of `ids`;
`heard` the ids that greedy decoding gives behind them. `alignment`: {opening, said, weights, ticks}: how the alignment heads attend
while `said` is read behind `opening`, as `_extract_token_timestamps` warps it, [said][frames], and where each of `said` ends, in
frames of 20 ms; null where a little noise changes that. ggml-whisper.bin has the first folder's weights in whisper.cpp's layout.
"""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import torch
import transformers as tf
from transformers.generation.utils import GenerateEncoderDecoderOutput
from transformers.models.whisper import generation_whisper
from whisper_cpp import convert

HERE = Path(__file__).parent / "speech"
SECONDS, RATE, STEP = 2, 16_000, 9
LETTERS = [*"abcdefghijklmnopqrstuvwxyz.,", "Ġ", "'"]
SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>",
           "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
TIMES = 50 * SECONDS + 1
ID = {token: len(LETTERS) + i for i, token in enumerate(SPECIAL)}
VOCABULARY = len(LETTERS) + len(SPECIAL) + TIMES
SHARED = dict(
    vocab_size=VOCABULARY, max_source_positions=50 * SECONDS, max_target_positions=64, pad_token_id=ID["<|endoftext|>"],
    bos_token_id=ID["<|endoftext|>"], eos_token_id=ID["<|endoftext|>"], decoder_start_token_id=ID["<|startoftranscript|>"],
    init_std=0.25, suppress_tokens=None, begin_suppress_tokens=None)
MODELS = {
    "whisper": dict(
        d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=96, decoder_ffn_dim=96, num_mel_bins=80),
    # As large-v3-turbo: 128 bands, a decoder of fewer layers than the encoder, and here of other heads and another width inside.
    "whisper-128": dict(
        d_model=48, encoder_layers=3, decoder_layers=1, encoder_attention_heads=6, decoder_attention_heads=3,
        encoder_ffn_dim=64, decoder_ffn_dim=128, num_mel_bins=128),
}
PROMPT = ["<|startoftranscript|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"]


def sound(seconds):
    """Three tones that swell, and a click: `tests/it/speech.rs` makes the same."""
    t = np.arange(int(seconds * RATE)) / RATE
    x = sum(np.sin(2 * math.pi * hertz * t) * t / (i + 1) for i, hertz in enumerate([220.0, 1234.5, 5000.0])) / 8
    x[4000] += 0.5
    return x.astype(np.float32)


def write_tokenizer(folder):
    added = [dict(id=ID[t], content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for t in SPECIAL]
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    (folder / "tokenizer.json").write_text(json.dumps(dict(
        version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None, pre_tokenizer=level,
        post_processor=None, decoder=level,
        model=dict(type="BPE", vocab={t: i for i, t in enumerate(LETTERS)}, merges=[]))))


def rounded(tensor, digits=6):
    return [[round(x, digits) for x in row] for row in tensor.tolist()]


def alignment(model, features, heads, frames):
    """What transformers makes of a text of letters and times."""
    opening = [ID[t] for t in PROMPT[:-1]]
    time = ID["<|notimestamps|>"] + 1
    said = [time, *np.random.default_rng(7).integers(0, len(LETTERS), 20).tolist(), time + 40, time + 40, 3, 14, 15, time + 70]
    ids = torch.tensor([opening + said])
    with torch.no_grad():
        attention = model(features, decoder_input_ids=ids, output_attentions=True).cross_attentions
    outputs = GenerateEncoderDecoderOutput(sequences=ids, cross_attentions=(attention,))
    matrices, warp = [], generation_whisper._dynamic_time_warping

    def ticks(noise):
        def noisy(matrix):
            matrices.append(-matrix)
            return warp(matrix + noise * np.random.default_rng(len(matrices)).standard_normal(matrix.shape))

        generation_whisper._dynamic_time_warping = noisy
        times = model._extract_token_timestamps(outputs, heads, num_frames=frames, num_input_ids=len(opening))
        generation_whisper._dynamic_time_warping = warp
        return (times[0, len(opening):-1] / 0.02).round().int().tolist()

    first = ticks(0.0)
    others = [ticks(1e-3) for _ in range(20)]
    sure = [tick if all(other[i] == tick for other in others) else None for i, tick in enumerate(first)]
    return dict(opening=opening, said=said, weights=rounded(torch.tensor(matrices[0]), 5), ticks=sure)


for seed, (name, config) in enumerate(MODELS.items()):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    model = tf.WhisperForConditionalGeneration(tf.WhisperConfig(**SHARED, **config)).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if "norm" in key or key.endswith("bias"):
                weight += 0.1 * torch.randn_like(weight)
    generation = tf.GenerationConfig(
        bos_token_id=ID["<|endoftext|>"], eos_token_id=ID["<|endoftext|>"], pad_token_id=ID["<|endoftext|>"],
        decoder_start_token_id=ID["<|startoftranscript|>"], is_multilingual=True, max_length=64,
        no_timestamps_token_id=ID["<|notimestamps|>"], prev_sot_token_id=ID["<|startofprev|>"], return_timestamps=False,
        lang_to_id={t: ID[t] for t in ("<|en|>", "<|de|>")}, task_to_id={t: ID[f"<|{t}|>"] for t in ("transcribe", "translate")},
        suppress_tokens=[*range(ID["<|startoftranscript|>"], VOCABULARY), LETTERS.index(",")], begin_suppress_tokens=[LETTERS.index("Ġ"), ID["<|endoftext|>"]])
    # The first says which heads are aligned; for the other it is all of the upper half of the layers.
    heads = [[0, 1], [1, 0], [1, 3]] if name == "whisper" else [[0, 0], [0, 1], [0, 2]]
    if name == "whisper":
        generation.alignment_heads = heads
    model.generation_config = generation
    model.half().save_pretrained(folder)
    model = tf.WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    write_tokenizer(folder)
    extract = tf.WhisperFeatureExtractor(feature_size=config["num_mel_bins"], chunk_length=SECONDS)
    x = sound(1.5)
    features = extract(x, sampling_rate=RATE, return_tensors="pt").input_features
    ids = [ID[t] for t in PROMPT] + [3, 14, 15]
    with torch.no_grad():
        logits = model(features, decoder_input_ids=torch.tensor([ids])).logits[0]
        heard = model.generate(features, language="de", task="transcribe", max_new_tokens=40)[0].tolist()
    aligned = alignment(model, features, heads, frames=150)
    heard = [id for id in heard if id < ID["<|endoftext|>"]]
    (folder / "expected.json").write_text(json.dumps(dict(
        made_by=f"transformers {tf.__version__}, torch {torch.__version__}", seconds=1.5, mel=rounded(features[0].T[::STEP], 5),
        ids=ids, logits=rounded(logits), heard=heard, alignment=aligned)))
    print(name, len(heard), heard[:12], logits.abs().max().item(), aligned["ticks"])
convert(HERE / "whisper", HERE / "ggml-whisper.bin")
