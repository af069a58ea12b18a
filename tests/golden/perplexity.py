"""Perplexity of real models by two independent implementations: llama.cpp (through llama-cpp-python; it tokenises as
well, and keeps K and V in f16) and Hugging Face transformers (f32, on llama.cpp's ids).

Run from the repository root: `python tests/golden/perplexity.py MODEL.gguf TEXT.txt [BYTES]`. Prints one JSON object;
tests/golden/perplexity.json keeps a list of them. Windows as `cresset perplexity` has them: the text is tokenised
whole, cut into windows of 256 tokens, the BOS token among them, and each token but the first is scored.
"""

import json
import math
import sys
from pathlib import Path

import llama_cpp
import numpy as np
import torch
import transformers

WINDOW = 256


def nats(logits, ids):
    """Σ −log p of ids[1:], from logits [T, V]."""
    logits = np.asarray(logits, np.float64)
    top = logits.max(-1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(-1)) + top[:, 0]
    return sum(log_sum[i] - logits[i, ids[i + 1]] for i in range(len(ids) - 1))


def main(model, text_file, limit=20000):
    text = Path(text_file).read_bytes()[: int(limit)].decode(errors="ignore")
    llama = llama_cpp.Llama(model, n_ctx=WINDOW, n_batch=WINDOW, logits_all=True, n_threads=1, verbose=False)
    ids = llama.tokenize(text.encode(), add_bos=False, special=False)
    folder, file = Path(model).parent, dict(gguf_file=Path(model).name)
    config = transformers.AutoConfig.from_pretrained(folder, **file)
    config.pad_token_id = None  # some files name one past the table
    config.vocab_size = llama.n_vocab()
    hf = transformers.AutoModelForCausalLM.from_pretrained(
        folder, **file, config=config, attn_implementation="eager", dtype=torch.float32).eval()
    windows = [[llama.token_bos()] + ids[i : i + WINDOW - 1] for i in range(0, len(ids), WINDOW - 1)]
    totals = {"llama.cpp": 0.0, "transformers": 0.0}
    for window in windows:
        llama.reset()
        llama.eval(window)
        totals["llama.cpp"] += nats(llama.scores[: len(window)], window)
        with torch.no_grad():
            totals["transformers"] += nats(hf(torch.tensor([window])).logits[0].numpy(), window)
    scored = sum(len(w) - 1 for w in windows)
    print(json.dumps(dict(
        made_by=f"llama-cpp-python {llama_cpp.__version__}, transformers {transformers.__version__}",
        model=Path(model).name, text=Path(text_file).name, bytes=len(text.encode()), window=WINDOW, scored_tokens=scored,
        first_ids=ids[:32], perplexity={k: round(math.exp(v / scored), 6) for k, v in totals.items()})))


if __name__ == "__main__":
    main(*sys.argv[1:])
