"""Tiny random models with an encoder and a decoder, and what Hugging Face transformers writes with them.

Run from the repository root: `python tests/golden/seq2seq.py` rewrites tests/golden/seq2seq/. Made with torch 2.15.0, transformers
5.23.0, sentencepiece, tokenizers and gguf. Nothing in the engine took part.

Each folder: safetensors as transformers saves them, config.json, generation_config.json, the tokenizer's files, and expected.json:
{made_by, forced, cases}, each case {text, source, logits, greedy, beams, written}: the ids of the text as the tokenizer has them, the
logits of a decoder that is given its start and the ids `forced`, of its rows 0, 3 and 12, the greedy ids, the ids that a search with four beams finds
(at three length penalties, the last of which stops early), and the first search's text.
"""

import json
import shutil
from pathlib import Path

import gguf
import sentencepiece as spm
import tokenizers as tk
import torch
import transformers as tf

HERE = Path(__file__).parent / "seq2seq"
# The writers' own words.
ENGLISH = """A boat went down the river in the morning. The children waved from the bridge, and the old man waved back.
It was cold; nobody swam. In the evening the boat came up the river again, with apples, bread and two letters.
Who wrote them? The first was from a friend in the city. The second had no name, only a drawing of a bird.
The old man kept it. He laughed, put the kettle on, and cut the bread into nine pieces. Good night, said the river."""
GERMAN = """Ein Boot fuhr am Morgen den Fluss hinunter. Die Kinder winkten von der Brücke, und der alte Mann winkte zurück.
Es war kalt; niemand schwamm. Am Abend kam das Boot wieder den Fluss herauf, mit Äpfeln, Brot und zwei Briefen.
Wer hatte sie geschrieben? Der erste kam von einem Freund in der Stadt. Der zweite hatte keinen Namen, nur einen gezeichneten Vogel.
Der alte Mann behielt ihn. Er lachte, setzte Wasser auf und schnitt das Brot in neun Stücke. Gute Nacht, sagte der Fluss."""
TEXTS = ["The old man laughed.", "Who put the two letters under the bread, and why? Nobody in the city wrote a name.",
         "  The ﬁrst  bird\tswam in the cold river — Ärger!"]


def jitter(model, by):
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embed_positions" not in name:
                weight += by * torch.randn_like(weight)


def expected(model, encode, decode, forced=(5, 9, 12, 40, 41, 30, 11, 7, 60, 61, 8, 33)):
    start, cases = model.config.decoder_start_token_id, []
    for text in TEXTS:
        source = encode(text)
        ids = torch.tensor([source])
        with torch.no_grad():
            logits = model(ids, decoder_input_ids=torch.tensor([[start, *forced]])).logits[0]
            greedy = model.generate(ids, num_beams=1, do_sample=False, max_new_tokens=16)[0].tolist()
            beams = [model.generate(ids, num_beams=4, do_sample=False, max_new_tokens=16, length_penalty=penalty, early_stopping=early)[0].tolist()
                     for penalty, early in [(1.0, False), (-0.5, False), (2.0, True)]]
        cases.append(dict(text=text, source=source, logits=[[round(x, 5) for x in logits[row].tolist()] for row in (0, 3, 12)],
                          greedy=greedy[1:], beams=[found[1:] for found in beams], written=decode(beams[0])))
    return json.dumps(dict(made_by=f"transformers {tf.__version__}, torch {torch.__version__}", forced=list(forced), cases=cases))


def fresh(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# --- T5, and T5 1.1 (FLAN-T5) ------------------------------------------------------------------------------------------

def t5_tokenizer(folder):
    tokenizer = tk.Tokenizer(tk.models.Unigram())
    tokenizer.normalizer = tk.normalizers.Sequence([tk.normalizers.NFKC(), tk.normalizers.Replace(tk.Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = tk.pre_tokenizers.Metaspace()
    tokenizer.decoder = tk.decoders.Metaspace()
    trainer = tk.trainers.UnigramTrainer(vocab_size=90, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>")
    tokenizer.train_from_iterator(ENGLISH.split("\n"), trainer)
    tokenizer.post_processor = tk.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = tf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(folder)
    return fast


for seed, (name, kind) in enumerate({
    "t5": dict(feed_forward_proj="relu"),
    "t5-gated": dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False),
}.items()):
    folder = fresh(name)
    tokenizer = t5_tokenizer(folder)
    torch.manual_seed(seed)
    config = tf.T5Config(vocab_size=100, d_model=24, d_kv=8, d_ff=40, num_layers=2, num_heads=4, relative_attention_num_buckets=8, relative_attention_max_distance=12,
                         n_positions=64, decoder_start_token_id=0, dropout_rate=0.0, **kind)
    # FLAN-T5's files have a projection to logits of their own; the class of this version ties all that it makes.
    config.tie_word_embeddings = not kind.get("tie_word_embeddings") is False
    model = tf.T5ForConditionalGeneration(config).eval()
    model.encoder.embed_tokens.weight = model.decoder.embed_tokens.weight = model.shared.weight
    jitter(model, 0.4)
    model.half().save_pretrained(folder)
    model.float()
    saved = json.loads((folder / "config.json").read_text())
    saved.pop("scale_decoder_outputs")  # as all published files have it
    (folder / "config.json").write_text(json.dumps(saved, indent=2))
    encode = lambda text: tokenizer(text).input_ids
    (folder / "expected.json").write_text(expected(model, encode, lambda ids: tokenizer.decode(ids, skip_special_tokens=True)))
    print(name, sorted(p.name for p in folder.iterdir()))


# --- T5 in GGUF: names, keys and file are gguf's own -------------------------------------------------------------------

folder = fresh("t5-gguf")
spm.SentencePieceTrainer.train(sentence_iterator=iter(ENGLISH.split("\n")), model_prefix=str(folder / "spiece"), vocab_size=80, model_type="unigram",
                               pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name="identity", minloglevel=2)
processor = spm.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
torch.manual_seed(11)
config = tf.T5Config(vocab_size=80, d_model=24, d_kv=8, d_ff=40, num_layers=3, num_decoder_layers=2, num_heads=4, n_positions=64, feed_forward_proj="gated-gelu",
                     decoder_start_token_id=0, dropout_rate=0.0)
model = tf.T5ForConditionalGeneration(config).eval()
model.encoder.embed_tokens.weight = model.decoder.embed_tokens.weight = model.shared.weight
jitter(model, 0.4)
model.half().float()
arch = gguf.MODEL_ARCH.T5
writer = gguf.GGUFWriter(folder / "model.gguf", gguf.MODEL_ARCH_NAMES[arch])
writer.add_context_length(config.n_positions)
writer.add_embedding_length(config.d_model)
writer.add_feed_forward_length(config.d_ff)
writer.add_block_count(config.num_layers)
writer.add_decoder_block_count(config.num_decoder_layers)
writer.add_head_count(config.num_heads)
writer.add_key_length(config.d_kv)
writer.add_value_length(config.d_kv)
writer.add_layer_norm_eps(config.layer_norm_epsilon)
writer.add_layer_norm_rms_eps(config.layer_norm_epsilon)
writer.add_relative_attn_buckets_count(config.relative_attention_num_buckets)
writer.add_decoder_start_token_id(config.decoder_start_token_id)
pieces = [processor.id_to_piece(i) for i in range(processor.vocab_size())]
types = [gguf.TokenType.CONTROL, gguf.TokenType.CONTROL, gguf.TokenType.UNKNOWN, *[gguf.TokenType.NORMAL] * (len(pieces) - 3)]
writer.add_tokenizer_model("t5")
writer.add_tokenizer_pre("default")
writer.add_token_list(pieces)
writer.add_token_scores([processor.get_score(i) for i in range(len(pieces))])
writer.add_token_types(types)
writer.add_add_space_prefix(True)
writer.add_remove_extra_whitespaces(True)
writer.add_eos_token_id(1)
writer.add_unk_token_id(2)
writer.add_pad_token_id(0)
writer.add_add_bos_token(False)
writer.add_add_eos_token(True)
names = gguf.get_tensor_name_map(arch, config.num_layers)
for name, weight in model.state_dict().items():
    if name in ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"]:
        continue  # those of `shared`
    numbers = weight.numpy()
    writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), numbers.astype("float16") if numbers.ndim > 1 and "relative" not in name else numbers)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
(folder / "expected.json").write_text(expected(model, lambda text: [*processor.encode(text), 1], lambda ids: processor.decode([i for i in ids if i > 2])))
for side in ["model", "vocab"]:
    (folder / f"spiece.{side}").unlink()
print("t5-gguf", sorted(p.name for p in folder.iterdir()))


# --- Marian ------------------------------------------------------------------------------------------------------------

folder = fresh("marian")
for side, text in [("source", ENGLISH), ("target", GERMAN)]:
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(text.split("\n")), model_prefix=str(folder / side), vocab_size=80, model_type="unigram", minloglevel=2)
    (folder / f"{side}.vocab").unlink()
    (folder / f"{side}.model").rename(folder / f"{side}.spm")
pieces = ["</s>", "<unk>"]
for side in ["source", "target"]:
    processor = spm.SentencePieceProcessor(model_file=str(folder / f"{side}.spm"))
    for piece in map(processor.id_to_piece, range(processor.vocab_size())):
        if piece not in [*pieces, "<s>"]:
            pieces.append(piece)
pieces += [">>deu<<", "<pad>"]
(folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}, ensure_ascii=False))
tokenizer = tf.MarianTokenizer(vocab=str(folder / "vocab.json"), source_spm=str(folder / "source.spm"), target_spm=str(folder / "target.spm"),
                               source_lang="eng", target_lang="deu")
(folder / "tokenizer_config.json").write_text(json.dumps(dict(source_lang="eng", target_lang="deu", tokenizer_class="MarianTokenizer")))
torch.manual_seed(7)
pad = len(pieces) - 1
config = tf.MarianConfig(vocab_size=len(pieces), d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=3,
                         encoder_ffn_dim=40, decoder_ffn_dim=36, activation_function="swish", scale_embedding=True, max_position_embeddings=64,
                         pad_token_id=pad, decoder_start_token_id=pad, eos_token_id=0, bos_token_id=0, forced_eos_token_id=None, dropout=0.0)
model = tf.MarianMTModel(config).eval()
jitter(model, 0.2)
model.final_logits_bias += 0.3 * torch.randn_like(model.final_logits_bias)
model.generation_config = tf.GenerationConfig(bad_words_ids=[[pad]], num_beams=4, pad_token_id=pad, decoder_start_token_id=pad, eos_token_id=0)
model.half().save_pretrained(folder)
model = tf.MarianMTModel.from_pretrained(folder, dtype=torch.float32).eval()
TEXTS.append(">>deu<< The boat went.")
(folder / "expected.json").write_text(expected(model, lambda text: tokenizer(text).input_ids, lambda ids: tokenizer.decode(ids, skip_special_tokens=True)))
(folder / "target.spm").unlink()  # nothing reads it: what is written is put together by the pieces' texts
print("marian", sorted(p.name for p in folder.iterdir()))
