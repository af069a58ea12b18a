"""Tiny random encoders of pictures, and what Hugging Face transformers makes of pictures with them.

Run from the repository root: `python tests/golden/vision.py` rewrites tests/golden/vision/; with a folder that holds DINOv2-small,
`python tests/golden/vision.py FOLDER` writes tests/golden/vision/dinov2-small.json instead. Made with torch 2.15.0,
transformers 5.23.0 and Pillow 12. Nothing in the engine took part.

`smolvlm` reads as well: its expected.json has {made_by, chats}, each chat {parts, sizes, ids, logits, answer}: the ids of the prompt as the
processor writes it, the logits behind it, and the greedy answer. `mmproj.gguf` beside it is its half that sees once more, under
llama.cpp's names.

Each folder: safetensors as transformers saves them, config.json, preprocessor_config.json, and expected.json: {made_by, pictures},
each picture {width, height, vector}. Pictures are made by a formula, so that they need not be kept; `vector` is what the model's own
pooling makes of one, before it is brought to unit length.
"""

import json
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers as tf
from PIL import Image
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

HERE = Path(__file__).parent / "vision"
SIZES = [(40, 30), (25, 61)]


def picture(width, height):
    """Waves of three colours: `tests/it/vision.rs` makes the same."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    return Image.fromarray(np.stack([(x * x + 3 * y) % 256, (x * y + 5 * x) % 256, (7 * x + y * y) % 256], axis=-1).astype(np.uint8))


MODELS = {
    # Positions of a larger picture than the middle that is seen, LayerScale.
    "dinov2": (
        tf.Dinov2Model, tf.Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, mlp_ratio=2, image_size=24, patch_size=4),
        BitImageProcessorPil(size={"shortest_edge": 20}, crop_size={"height": 16, "width": 20}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])),
    "siglip": (
        tf.SiglipVisionModel, tf.SiglipVisionConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, image_size=24, patch_size=8),
        SiglipImageProcessorPil(size={"height": 24, "width": 24}, resample=2)),
}



def seen(model, processor, sizes):
    """What the model makes of each picture, and how it was made."""
    pictures = []
    for width, height in sizes:
        pixels = processor(picture(width, height), return_tensors="pt").pixel_values
        with torch.no_grad():
            vector = model(pixels).pooler_output[0]
        pictures.append(dict(width=width, height=height, vector=[round(x, 6) for x in vector.tolist()]))
    return json.dumps(dict(made_by=f"transformers {tf.__version__}, torch {torch.__version__}", pictures=pictures))


if len(sys.argv) > 1:
    folder = sys.argv[1]
    model, processor = tf.Dinov2Model.from_pretrained(folder).eval(), BitImageProcessorPil.from_pretrained(folder)
    (HERE / "dinov2-small.json").write_text(seen(model, processor, [(640, 427), (300, 300)]))
    sys.exit()

for seed, (name, (kind, config, processor)) in enumerate(MODELS.items()):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    model = kind(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
    model = kind.from_pretrained(folder, dtype=torch.float32).eval()
    (folder / "expected.json").write_text(seen(model, processor, SIZES))
    print(name, sorted(p.name for p in folder.iterdir()))


# --- A model that reads and sees --------------------------------------------------------------------------------------

LETTERS = [*"abcdefghijklmnopqrstuvwxyzUA:.,", "Ġ", "Ċ", "?"]
SPECIAL = ["<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<global-img>", "<image>",
           *[f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2)]]
ID = {token: i for i, token in enumerate(LETTERS + SPECIAL)}
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize | first }}{% if message['content'][0]['type'] == 'image' %}"
    "{{ ':' }}{% else %}{{ ': ' }}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'A:' }}{% endif %}")
TILE, PATCH, MERGE = 16, 4, 2


def write_tokenizer(folder):
    added = [dict(id=ID[t], content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for t in SPECIAL]
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    (folder / "tokenizer.json").write_text(json.dumps(dict(
        version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None, pre_tokenizer=level,
        post_processor=None, decoder=level,
        model=dict(type="BPE", vocab={t: i for i, t in enumerate(LETTERS)}, merges=[]))))
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(
        tokenizer_class="PreTrainedTokenizerFast", eos_token="<end_of_utterance>", bos_token="<|im_start|>")))
    (folder / "chat_template.jinja").write_text(TEMPLATE)


def prompt_of(parts, tiles):
    """The prompt's text, written as transformers' processor writes it; `tiles`: rows and columns of each picture."""
    text = tf.PreTrainedTokenizerFast.from_pretrained(HERE / "smolvlm").apply_chat_template(
        [dict(role="user", content=parts)], tokenize=False, add_generation_prompt=True)
    tokens = "<image>" * (TILE // PATCH // MERGE) ** 2
    for rows, columns in tiles:
        cut = "".join(
            "".join(f"<fake_token_around_image><row_{r + 1}_col_{c + 1}>@@" for c in range(columns)) + "\n" for r in range(rows))
        whole = ("\n" if rows else "") + "<fake_token_around_image><global-img>@@<fake_token_around_image>"
        text = text.replace("<image>", cut + whole, 1)
    return text.replace("@@", tokens)


def write_projector(model, path):
    w = gguf.GGUFWriter(path, "clip")
    config = model.config.vision_config
    w.add_bool("clip.has_vision_encoder", True)
    w.add_string("clip.projector_type", "idefics3")
    for key, value in dict(
            embedding_length=config.hidden_size, feed_forward_length=config.intermediate_size, block_count=config.num_hidden_layers,
            image_size=config.image_size, patch_size=config.patch_size, preproc_image_size=2 * TILE).items():
        w.add_uint32(f"clip.vision.{key}", value)
    w.add_uint32("clip.vision.attention.head_count", config.num_attention_heads)
    w.add_float32("clip.vision.attention.layer_norm_epsilon", config.layer_norm_eps)
    w.add_uint32("clip.vision.projector.scale_factor", MERGE)
    w.add_array("clip.vision.image_mean", [0.5] * 3)
    w.add_array("clip.vision.image_std", [0.5] * 3)
    w.add_bool("clip.use_gelu", True)
    names = {
        "embeddings.patch_embedding": "v.patch_embd", "embeddings.position_embedding": "v.position_embd", "post_layernorm": "v.post_ln"}
    parts = {
        "layer_norm1": "ln1", "layer_norm2": "ln2", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.out_proj": "attn_out", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"}
    for i in range(config.num_hidden_layers):
        names |= {f"encoder.layers.{i}.{own}": f"v.blk.{i}.{theirs}" for own, theirs in parts.items()}
    for name, weight in model.model.vision_model.named_parameters():
        stem, kind = name.rsplit(".", 1)
        w.add_tensor(f"{names[stem]}.{kind}", weight.detach().numpy().astype(np.float32))
    w.add_tensor("mm.model.fc.weight", model.model.connector.modality_projection.proj.weight.detach().numpy().astype(np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


folder = HERE / "smolvlm"
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
torch.manual_seed(7)
config = tf.SmolVLMConfig(
    text_config=dict(
        model_type="llama", hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=len(ID), max_position_embeddings=256, rope_theta=10000.0, pad_token_id=0, bos_token_id=ID["<|im_start|>"],
        eos_token_id=ID["<end_of_utterance>"]),
    vision_config=dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=TILE, patch_size=PATCH),
    scale_factor=MERGE, image_token_id=ID["<image>"], tie_word_embeddings=False)
model = tf.SmolVLMForConditionalGeneration(config).eval()
with torch.no_grad():
    for weight in model.parameters():
        weight += 0.15 * torch.randn_like(weight)
model.half().save_pretrained(folder)
model = tf.SmolVLMForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
processor = Idefics3ImageProcessorPil(size={"longest_edge": 2 * TILE}, max_image_size={"longest_edge": TILE}, return_row_col_info=True)
processor.save_pretrained(folder)
write_tokenizer(folder)
write_projector(model, folder / "mmproj.gguf")
tokenizer = tf.PreTrainedTokenizerFast.from_pretrained(folder)
chats = []
for parts, sizes in [
    (["image", "what is it?"], [(40, 30)]),
    (["see ", "image", " and ", "image", "."], [(9, 70), (33, 33)]),
    (["no picture"], []),
]:
    content = [dict(type="image") if part == "image" else dict(type="text", text=part) for part in parts]
    given = {}
    tiles = []
    if sizes:
        seen = processor([[picture(*size) for size in sizes]], return_tensors="pt")
        tiles = list(zip(seen["rows"][0], seen["cols"][0]))
        given = dict(pixel_values=seen["pixel_values"])
    ids = tokenizer(prompt_of(content, tiles), add_special_tokens=False).input_ids
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), **given).logits[0, -1]
        answer = model.generate(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), **given, max_new_tokens=12, do_sample=False)[0, len(ids):].tolist()
    chats.append(dict(parts=parts, sizes=sizes, ids=ids, logits=[round(x, 6) for x in logits.tolist()], answer=answer))
    print("smolvlm", tiles, len(ids), answer)
(folder / "expected.json").write_text(json.dumps(dict(made_by=f"transformers {tf.__version__}, torch {torch.__version__}", chats=chats)))
