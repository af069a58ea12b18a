"""What llama.cpp makes of a byte-pair vocabulary whose file does not name its pre-tokenizer: default.gguf and
default.json of tests/tokenizers/.

    python tests/golden/default_pre.py

No published tokenizer.json has the pattern that llama.cpp then falls back to, so llama.cpp itself is the reference (by
llama-cpp-python, which reads the vocabulary only). The vocabulary is trained on the texts as they are, not cut into
words: its merges cross every seam, so that ids differ wherever a text is cut otherwise. Made with llama-cpp-python
0.3.36, tokenizers 0.23.3, gguf 0.19.0.
"""

import json
from pathlib import Path

import gguf
import llama_cpp
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

OUT = Path(__file__).parent.parent / "tokenizers"
# What tells the fallback from GPT-2's pattern and Falcon's: punctuation and digits that stand apart.
MORE = [
    "a+b=c", "x^2|y~z", "`a` $b$", "1234567", "x1234.5678y", "(1)[2]{3}", "a  +  b", "<<=>>", "½1234 ٤٥٦٧",
    "a 1 b 12 c", " 'tis  'twas", "- - --", "é1é", "x₁ + y₂",
]


def vocabulary(texts):
    """[tokens], [merges]"""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=1000, min_frequency=1, show_progress=False, initial_alphabet=alphabet))
    model = json.loads(tokenizer.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [" ".join(merge) for merge in model["merges"]]


def write(path, tokens, merges, pre=None):
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_tokenizer_model("gpt2")
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    writer.add_token_merges(merges)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def ids_of(path, texts):
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    return [model.tokenize(text.encode(), add_bos=False, special=False) for text in texts]


def main():
    recorded = json.loads((OUT / "expected.json").read_text())
    texts = [case["text"] for case in recorded["own"]["bpe.json"]] + MORE
    tokens, merges = vocabulary([*texts, *MORE, *MORE])
    file = OUT / "default.gguf"
    for other in ("gpt-2", "falcon", "llama-bpe", "smollm"):
        write(file, tokens, merges, other)
        theirs = ids_of(file, texts)
        write(file, tokens, merges)
        differ = sum(a != b for a, b in zip(theirs, ids_of(file, texts)))
        assert differ, f"no text tells the fallback from {other}"
        print(f"{differ} of {len(texts)} texts tell it from {other}")
    cases = [{"text": text, "ids": ids} for text, ids in zip(texts, ids_of(file, texts))]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    made_by = f"tests/golden/default_pre.py with llama-cpp-python {llama_cpp.__version__}"
    (OUT / "default.json").write_text(f'{{"made_by":"{made_by}","cases":[\n{lines}\n]}}\n')


main()
