"""What llama.cpp makes of real weights: ids, perplexity of a real text, greedy text. It runs through the package cyllama,
which has llama.cpp compiled in.

Run from the repository root: `python tests/golden/llama_cpp.py MODEL.gguf FOLDER/text/FILE BYTES PROMPT…`, on a text of the
shared data. Prints one JSON object; tests/golden/llama_cpp.json keeps a list of them. The windows of the perplexity are those of
perplexity.py: the text is tokenised whole, cut into windows of 256 tokens, the BOS token among them where the model has one,
and each token but the first is scored. Each prompt is asked by `CHAT`, and answered with 32 tokens at most.
"""

import json
import math
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from cyllama.llama.llama_cpp import LlamaBatch, LlamaContext, LlamaContextParams, LlamaModel, LlamaModelParams

WINDOW = 256
GREEDY_TOKENS = 32
# An answer ends before the first token that leads by less: llama.cpp rounds activations to 8 bits, and what such a rounding
# decides is nobody's to be held to.
GREEDY_MARGIN = 0.15
# Both models' own format, with a system message so that their templates add none.
CHAT = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


class Model(LlamaModel):
    """`get_logits_ith` of cyllama asks a model for its vocabulary's size by a name that it has not."""

    @property
    def n_vocab(self):
        return self.get_vocab().n_vocab


def logits(context, ids, past=0, every=True):
    """Logits [T, V] after `ids`, which follow `past` others; of the last alone unless `every`."""
    batch = LlamaBatch(n_tokens=len(ids), embd=0, n_seq_max=1)
    for i, token in enumerate(ids):
        batch.add(token, past + i, [0], every or i == len(ids) - 1)
    assert context.decode(batch) == 0
    rows = range(len(ids)) if every else [len(ids) - 1]
    return np.array([context.get_logits_ith(i) for i in rows], np.float64)


def nats(rows, ids):
    """Σ −log p of ids[1:], from logits [T, V]."""
    top = rows.max(-1, keepdims=True)
    log_sum = np.log(np.exp(rows - top).sum(-1)) + top[:, 0]
    return sum(log_sum[i] - rows[i, ids[i + 1]] for i in range(len(ids) - 1))


def perplexity(context, vocabulary, ids):
    bos = [vocabulary.token_bos()] if vocabulary.get_add_bos() else []
    size = WINDOW - len(bos)
    total, scored = 0.0, 0
    for i in range(0, len(ids), size):
        window = bos + ids[i : i + size]
        context.kv_cache_clear()
        total += nats(logits(context, window), window)
        scored += len(window) - 1
    return dict(scored_tokens=scored, perplexity=round(math.exp(total / scored), 6))


def greedy(context, vocabulary, prompt):
    """The greedy answer, as far as it is clear."""
    ids, answer = vocabulary.tokenize(CHAT.format(prompt), False, True), []
    context.kv_cache_clear()
    row, past = logits(context, ids, every=False)[0], len(ids)
    for _ in range(GREEDY_TOKENS):
        best = int(row.argmax())
        if vocabulary.is_eog(best) or row[best] - np.partition(row, -2)[-2] < GREEDY_MARGIN:
            break
        answer.append(best)
        row, past = logits(context, [best], past)[0], past + 1
    return dict(prompt=prompt, ids=ids, answer_ids=answer, answer=vocabulary.detokenize(answer))


def main(path, text_file, size, *prompts):
    model = Model(path, LlamaModelParams())
    params = LlamaContextParams()
    params.n_ctx = params.n_batch = params.n_ubatch = 2 * WINDOW
    params.n_threads = params.n_threads_batch = 1
    context, vocabulary = LlamaContext(model, params), model.get_vocab()
    text = Path(text_file).read_bytes()[: int(size)].decode(errors="ignore")
    ids = vocabulary.tokenize(text, False, False)
    print(json.dumps(dict(
        made_by=f"llama.cpp in cyllama {version('cyllama')}", model=Path(path).name, text=Path(text_file).as_posix().split("/text/")[-1],
        bytes=len(text.encode()), window=WINDOW, first_ids=ids[:32], **perplexity(context, vocabulary, ids),
        chats=[greedy(context, vocabulary, prompt) for prompt in prompts]), ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
