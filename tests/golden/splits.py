"""Fixtures of tests/tokenizers/: how published pre-tokenizers split hard strings, and small vocabularies of each kind
with the ids that independent implementations give.

    python tests/golden/splits.py tests/tokenizers SHARED_DATA [MINILM_FOLDER]

Needs tokenizers (Hugging Face, which matches patterns by Oniguruma), sentencepiece, gguf; and for the vocabulary that
BERT's uncased models share, the folder of sentence-transformers/all-MiniLM-L6-v2 (Apache 2.0). The patterns are those of the
models' own tokenizer.json files (Kimi K2: of its tokenization code), written as published.
"""

import io
import json
import sys
from pathlib import Path

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT, SHARED = Path(sys.argv[1]), Path(sys.argv[2])
MINILM = Path(sys.argv[3]) if len(sys.argv) > 3 else None

# Hard strings: numbers, contractions, capitals, scripts, marks, emoji, spaces and line breaks of every kind.
TEXTS = [
    "",
    " ",
    "  ",
    "Hello world",
    "  Hello,   world! ",
    "\n\n\nabc\n \n  x\r\n\r\n\ty\t\tz ",
    "it's I'LL we'Ve they'D 'tis o'clock '' 's",
    "1 12 123 1234 12345 1234567890 3.14 1,000,000 v2x3",
    "٣٤٥ ½ ² Ⅷ 一二三 ２３４",
    "CamelCase HTTPServer iPhone XMLHttpRequest ABCdef ABC'S",
    "naïve café e\u0301te\u0301 n\u0303 A\u030angstro\u0308m",
    "Ünïcödé ÄÖÜß ŁÓDŹ Ǆ ʰʲ ª º",
    "中文字符，混合 English。日本語のテキスト、カタカナ",
    "한국어 텍스트 ㅋㅋㅋ",
    "ภาษาไทยไม่มีเว้นวรรค กำลัง",
    "العربية مَرْحَبًا، كيف؟ 123",
    "हिन्दी में नमस्ते বাংলা தமிழ்",
    "Привет, мир! Ελληνικά Հայերեն ქართული",
    "😀😃 👨‍👩‍👧‍👦 🇩🇪 ❤️ 👍🏽 :-) ;)",
    "zero\u200bwidth\u200djoin\ufeffbom \u00a0nbsp\u3000wide\u2003em\u2028sep",
    "def f(x):\n    return x**2  # a comment\n\n\nclass A:\n\tpass\n",
    "if (a<=b && c!=d) { x+=1; } // $5.00 @user #tag `code` ~/.x",
    "https://example.org/a/b?c=d&e=f%20g user@example.com",
    "...!!!???---___***///\n///\n\n",
    "a" * 20 + " " * 20 + "b\n" + " " * 9 + "\n" * 5 + "c   ",
    "\u0000\u0001\u007f\u0085x\u0085",
]

S = pre_tokenizers.Split
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"


def by(*patterns):
    return [S(Regex(pattern), "isolated") for pattern in patterns]


def bytes_of_words(use_regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def cased(suffix, digits, slash="/", upper=UPPER, lower=LOWER):
    """Words that change at a capital letter, as GPT-4o has them."""
    return (
        rf"[^\r\n\p{{L}}\p{{N}}]?[{upper}]*[{lower}]+{suffix}|[^\r\n\p{{L}}\p{{N}}]?[{upper}]+[{lower}]*{suffix}|{digits}"
        rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n{slash}]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )


def gpt4(digits, words=r"[^\r\n\p{L}\p{N}]?\p{L}+", others=r" ?[^\s\p{L}\p{N}]+[\r\n]*", breaks=r"\s*[\r\n]+"):
    return rf"{CONTRACTIONS}|{words}|{digits}|{others}|{breaks}|\s+(?!\S)|\s+"


LETTERS = (
    r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7d"
    "ᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ"
    "𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"
)
HAN = r"&&[^\p{Han}]"

PRE = {
    "gpt-2": [bytes_of_words()],
    "smollm": [pre_tokenizers.Digits(True), bytes_of_words()],
    "falcon": [
        pre_tokenizers.Punctuation("contiguous"),
        bytes_of_words(),
        *by("[0-9][0-9][0-9]"),
    ],
    "llama-bpe": by(gpt4(r"\p{N}{1,3}")),
    "qwen2": by(gpt4(r"\p{N}")),
    "qwen35": by(gpt4(r"\p{N}", r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+", r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*")),
    "minicpm5": by(r"\p{N}{1,3}", gpt4(r"\p{N}+")),
    "seed-coder": by(gpt4(r"\p{N}{1}", others=r" ?[^\s\p{L}\p{N}\r\n]+")),
    "exaone-moe": by(
        gpt4(
            r"\p{N}",
            r"[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]?",
            r"\s*[\r\n]",
        )
    ),
    "bailingmoe": by(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
    ),
    "tekken": by(cased("", r"\p{N}")),
    "gpt-4o": by(cased(f"{CONTRACTIONS}?", r"\p{N}{1,3}")),
    "kimi-k2": by(r"[\p{Han}]+|" + cased(f"{CONTRACTIONS}?", r"\p{N}{1,3}", "", UPPER + HAN, LOWER + HAN)),
    "deepseek-llm": [
        *by("[\r\n]", LETTERS, r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", "[一-龥ࠀ-一가-\ud7ff]+", r"\p{N}+"),
        bytes_of_words(False),
    ],
    "deepseek-coder": [
        *by("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+"),
        pre_tokenizers.Digits(True),
        bytes_of_words(False),
    ],
    "deepseek-v3": [
        *by(
            r"\p{N}{1,3}",
            "[一-龥\u3040-ゟ゠-ヿ]+",
            r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
            r"|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        bytes_of_words(False),
    ],
    "bloom": [*by(r" ?[^(\s|[.,!?…。，、।۔،])]+"), bytes_of_words(False)],
    "viking": [*by(r" ?[^(\s|[.,!?…。，、।۔،])]+"), pre_tokenizers.Digits(True), bytes_of_words(False)],
}


def splits():
    out = {"made_by": "tests/golden/splits.py", "texts": TEXTS, "words": {}}
    for name, steps in PRE.items():
        steps = pre_tokenizers.Sequence(steps)
        out["words"][name] = [
            [text[start:end] for _, (start, end) in steps.pre_tokenize_str(text)] if text else [] for text in TEXTS
        ]
        for text, words in zip(TEXTS, out["words"][name]):
            assert "".join(words) == text, (name, text, words)
    write("splits.json", out)


def write(name, value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    (OUT / name).write_text(text.replace('"made_by"', '\n"made_by"').replace("],[", "],\n[") + "\n")


def corpus():
    """Text to train small vocabularies on: some Shakespeare, and the hard strings."""
    return [*(SHARED / "text/tinyshakespeare.txt").read_text()[:40_000].split("\n"), *TEXTS, *TEXTS]


CASES = [
    *TEXTS,
    "The quick brown fox jumps over the lazy dog, and the engine reads its weights.",
    "tokens, tokenizers and tokenization: <s>literally</s> <tool> [SEP]",
    "ﬁne ﬂow ① Ａｂｃ ｶﾀ ™ x²",
    "\U0001f980\U00010348 a\u0301\u0323 \u1e9b\u0323",
]


def gguf_file(name, model, tokens, **keys):
    writer = gguf.GGUFWriter(OUT / name, "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    for key, value in keys.items():
        key = f"tokenizer.ggml.{key}"
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def expected(encode, decode, unknown=None):
    """Ids, and the text they decode to unless an unknown token is among them."""
    out = [{"text": text, "ids": encode(text)} for text in CASES]
    return [{**case, "decoded": decode(case["ids"])} if unknown not in case["ids"] else case for case in out]


def train(model_type, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for line in corpus() if line.strip()),
        model_writer=model,
        model_type=model_type,
        hard_vocab_limit=False,
        num_threads=1,
        **options,
    )
    model = model.getvalue()
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    return sentencepiece.SentencePieceProcessor(model_proto=model), proto


def sentencepiece_keys(proto):
    """As llama.cpp's converter writes them: spaces of user-defined tokens as such."""
    text = lambda p: p.piece.replace("▁", " ") if p.type == 4 else p.piece
    return [text(p) for p in proto.pieces], {
        "scores": [p.score for p in proto.pieces],
        "token_type": [int(p.type) for p in proto.pieces],
    }


def spm(out):
    """SentencePiece's BPE with byte fallback, as in Llama 2: a space before the text, no normalization."""
    plain = dict(normalization_rule_name="identity", remove_extra_whitespaces=False, byte_fallback=True)
    processor, proto = train("bpe", vocab_size=700, **plain)
    tokens, keys = sentencepiece_keys(proto)
    ids = dict(bos_token_id=1, eos_token_id=2, unknown_token_id=0)
    gguf_file("spm.gguf", "llama", tokens, **keys, **ids, pre="default", add_space_prefix=True)
    out["spm.gguf"] = expected(processor.encode, processor.decode)
    # As in Gemma: no space before the text, tokens found as a whole.
    found = ["\n\n", "▁▁", "▁▁▁▁", "<tool>"]
    processor, proto = train("bpe", vocab_size=700, add_dummy_prefix=False, user_defined_symbols=found, **plain)
    tokens, keys = sentencepiece_keys(proto)
    gguf_file("spm-found.gguf", "llama", tokens, **keys, **ids, pre="default", add_space_prefix=False)
    out["spm-found.gguf"] = expected(processor.encode, processor.decode)


RULES = {"ﬁ": "fi", "ﬂ": "fl", "①": "1", "Ａ": "A", "ｂ": "b", "ｃ": "c", "ｶ": "カ", "ﾀ": "タ", "™": "TM", "²": "2", "\t": " ",
         "\n": " ", "\r": " ", "\u00a0": " ", "\u3000": " ", "\u2003": " ", "\u200b": "", "\u0085": " ", "e\u0301": "é",
         "\u0001": "", "…": "..."}


def unigram(out):
    """SentencePiece's Unigram, as in T5: rewriting rules, spaces trimmed and joined. Also as tokenizer.json."""
    rules = OUT / "rules.tsv"
    code = lambda text: " ".join(f"{ord(c):X}" for c in text)
    rules.write_text("".join(f"{code(a)}\t{code(b)}\n" for a, b in RULES.items()))
    processor, proto = train("unigram", vocab_size=500, normalization_rule_tsv=str(rules), pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    rules.unlink()
    tokens, keys = sentencepiece_keys(proto)
    charsmap = proto.normalizer_spec.precompiled_charsmap
    ids = dict(eos_token_id=1, unknown_token_id=2, padding_token_id=0)
    gguf_file("unigram.gguf", "t5", tokens, **keys, **ids, precompiled_charsmap=charsmap, add_space_prefix=True,
              remove_extra_whitespaces=True, add_bos_token=False, add_eos_token=True)
    out["unigram.gguf"] = expected(processor.encode, processor.decode, 2)
    tokenizer = Tokenizer(models.Unigram([(p.piece, p.score) for p in proto.pieces], 2, False))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Precompiled(charsmap), normalizers.Strip(False, True), normalizers.Replace(Regex(" {2,}"), "▁"),
    ])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always")
    tokenizer.decoder = decoders.Metaspace("▁", "always")
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [("</s>", 1)])
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    by_crate(out, "unigram.json", tokenizer)
    # The package makes a control token of the same letters in a text; SentencePiece does not, and neither may we.
    for case in out["unigram.json"]:
        if 1 in case["ids"]:
            case.update(ids=processor.encode(case["text"]))
            del case["decoded"]


def by_crate(out, name, tokenizer):
    write(name, json.loads(tokenizer.to_str()))
    # Without special tokens parsed, as for a visitor's words.
    tokenizer.encode_special_tokens = True
    ids = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    out[name] = expected(ids, lambda ids: tokenizer.decode(ids, skip_special_tokens=False))


def bpe(out):
    """Byte-level BPE with Llama 3's pre-tokenizer, as tokenizer.json and as GGUF."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*PRE["llama-bpe"], bytes_of_words(False)])
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|begin_of_text|>", "<|eot_id|>"]
    trainer = trainers.BpeTrainer(vocab_size=900, show_progress=False, special_tokens=special,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing("<|begin_of_text|> $A", None, [("<|begin_of_text|>", 0)])
    by_crate(out, "bpe.json", tokenizer)
    file = json.loads(tokenizer.to_str())
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    types = [3 if token in special else 4 if token == "<tool>" else 1 for token, _ in tokens]
    gguf_file("bpe.gguf", "gpt2", [token for token, _ in tokens], pre="llama-bpe", token_type=types,
              merges=[" ".join(merge) for merge in file["model"]["merges"]], bos_token_id=0, eos_token_id=1)
    out["bpe.gguf"] = out["bpe.json"]


def wordpiece(out):
    """BERT's WordPiece, uncased; GGUF's spelling: `▁word` and `ing` for `word` and `##ing`."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=800, show_progress=False, special_tokens=special))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    by_crate(out, "wordpiece.json", tokenizer)
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])]
    phantom = lambda t: t if t in special else t[2:] if t.startswith("##") else "▁" + t
    gguf_file("wordpiece.gguf", "bert", [phantom(t) for t in tokens], token_type=[3 if t in special else 1 for t in tokens],
              unknown_token_id=1, cls_token_id=2, seperator_token_id=3, mask_token_id=4)
    # GGUF has no rules of English punctuation to decode by.
    out["wordpiece.gguf"] = [{"text": case["text"], "ids": case["ids"]} for case in out["wordpiece.json"]]


def published(out):
    """Ids for vocabularies in the shared data, from other implementations than those that came with the files."""
    for name in ("llama-spm", "phi-3"):
        path = f"tokenizers/ggml-vocab-{name}.gguf"
        fields = gguf.GGUFReader(SHARED / path).fields
        values = lambda key: [fields[key].parts[i] for i in fields[key].data]
        proto = sentencepiece_model_pb2.ModelProto()
        pieces = zip(*(values(f"tokenizer.ggml.{key}") for key in ("tokens", "scores", "token_type")))
        for id, (piece, score, kind) in enumerate(pieces):
            kind = 3 if id and kind[0] == 2 else int(kind[0])  # Phi-3's file has a second unknown token
            proto.pieces.add(piece=bytes(piece).decode(), score=float(score[0]), type=kind)
        proto.trainer_spec.MergeFrom(sentencepiece_model_pb2.TrainerSpec(
            model_type="BPE", byte_fallback=True, unk_id=0, bos_id=1, eos_id=2, pad_id=-1))
        proto.normalizer_spec.MergeFrom(sentencepiece_model_pb2.NormalizerSpec(
            name="identity", add_dummy_prefix=True, remove_extra_whitespaces=False, escape_whitespaces=True))
        processor = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
        out[path] = expected(processor.encode, processor.decode)
    files = {"tokenizers/smollm2/tokenizer.json": SHARED / "tokenizers/smollm2/tokenizer.json"}
    if MINILM:
        files["tokenizers/ggml-vocab-bert-bge.gguf"] = MINILM / "tokenizer.json"
    for path, file in files.items():
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = True
        out[path] = [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids} for text in CASES]


splits()
OWN, PUBLISHED = {}, {}
for make in (bpe, spm, unigram, wordpiece):
    make(OWN)
published(PUBLISHED)
write("expected.json", {"made_by": "tests/golden/splits.py", "own": OWN, "shared": PUBLISHED})
