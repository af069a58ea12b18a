"""Tiny random models that read and see, and what Hugging Face transformers answers with them.

Run from the repository root: `python tests/golden/eyes.py [NAME…]` rewrites those folders of tests/golden/vision/, or all. Made with
torch 2.15.0, transformers 5.23.0 and Pillow 12. Nothing in the engine took part.

Each folder: safetensors as transformers saves them, configurations, a tokenizer, a chat template, and expected.json: {made_by, chats}, each chat
{parts, sizes, ids, logits, answer}: the ids of the prompt as the processor writes it, the logits behind it, and the greedy answer.
`mmproj.gguf` is the half that sees once more, under llama.cpp's names and in the layout of its converters.
"""

import json
import shutil
import sys

import gguf
import numpy as np
import torch
import transformers as tf
from safetensors.torch import load_file, save_file
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from vision import HERE, picture

LETTERS = [*"abcdefghijklmnopqrstuvwxyzUA:.,", "Ġ", "Ċ", "?"]
CHATS = [
    (["image", "what is it?"], [(40, 30)]),
    (["see ", "image", " and ", "image", "."], [(9, 70), (33, 33)]),
    (["no picture"], []),
]
BLOCK = {
    "layer_norm1": "ln1", "layer_norm2": "ln2", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"}
# The converter for CLIP has the feed-forward layer's projections the other way round.
CLIP_BLOCK = BLOCK | {"mlp.fc1": "ffn_down", "mlp.fc2": "ffn_up"}
STEMS = {
    "embeddings.patch_embedding": "v.patch_embd", "embeddings.position_embedding": "v.position_embd", "post_layernorm": "v.post_ln",
    "pre_layrnorm": "v.pre_ln"}


def write_tokenizer(folder, special, template, **tokens):
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    added = [dict(id=len(LETTERS) + i, content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
             for i, t in enumerate(special)]
    (folder / "tokenizer.json").write_text(json.dumps(dict(
        version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None, pre_tokenizer=level,
        post_processor=None, decoder=level,
        model=dict(type="BPE", vocab={t: i for i, t in enumerate(LETTERS)}, merges=[]))))
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(tokenizer_class="PreTrainedTokenizerFast", **tokens)))
    (folder / "chat_template.jinja").write_text(template)


def write_projector(path, kind, config, tower, projector, *, layers, block=BLOCK, mean=0.5, std=0.5, **more):
    """`tower`: the encoder's module; `projector`: tensors by llama.cpp's names; `more`: integers under `clip.vision.`."""
    w = gguf.GGUFWriter(path, "clip")
    w.add_bool("clip.has_vision_encoder", True)
    w.add_string("clip.projector_type", kind)
    for key, value in dict(
            embedding_length=config.hidden_size, feed_forward_length=config.intermediate_size, block_count=layers,
            image_size=config.image_size, patch_size=config.patch_size, **more).items():
        w.add_uint32(f"clip.vision.{key}", value)
    w.add_uint32("clip.vision.attention.head_count", config.num_attention_heads)
    w.add_float32("clip.vision.attention.layer_norm_epsilon", config.layer_norm_eps)
    w.add_array("clip.vision.image_mean", [mean] * 3)
    w.add_array("clip.vision.image_std", [std] * 3)
    w.add_bool("clip.use_gelu", config.hidden_act != "quick_gelu")
    names = STEMS | {f"encoder.layers.{i}.{own}": f"v.blk.{i}.{theirs}" for i in range(layers) for own, theirs in block.items()}
    for name, weight in tower.named_parameters():
        stem, part = name.removeprefix("vision_model.").rsplit(".", 1)
        if part == "class_embedding":
            w.add_tensor("v.class_embd", weight.detach().numpy().astype(np.float32))
        elif stem in names and not (kind == "mlp" and stem == "post_layernorm"):
            w.add_tensor(f"{names[stem]}.{part}", weight.detach().numpy().astype(np.float32))
    for name, weight in projector.items():
        w.add_tensor(name, weight.detach().numpy().astype(np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def saved(folder, kind, config, seed, scale, rename=()):
    """A random model as its folder has it; `rename`: pairs of prefixes, for files that have the names of other versions."""
    torch.manual_seed(seed)
    model = kind(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += scale * torch.randn_like(weight)
        if config.tie_word_embeddings:
            # Else the likeliest token is always the last one.
            model.get_input_embeddings().weight *= 0.3
    model.half().save_pretrained(folder)
    model = kind.from_pretrained(folder, dtype=torch.float32).eval()
    tensors = load_file(folder / "model.safetensors")
    for old, new in rename:
        tensors = {name.replace(old, new, 1) if name.startswith(old) else name: weight for name, weight in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata=dict(format="pt"))
    return model


def write_chats(folder, model, look, expand, chats=CHATS):
    """`look`: pictures → what the model is given, and what `expand` needs of each; `expand`: a prompt's text with the pictures' tokens."""
    tokenizer = tf.PreTrainedTokenizerFast.from_pretrained(folder)
    written = []
    for parts, sizes in chats:
        content = [dict(type="image") if part == "image" else dict(type="text", text=part) for part in parts]
        given, of_each = look([picture(*size) for size in sizes]) if sizes else ({}, [])
        text = tokenizer.apply_chat_template([dict(role="user", content=content)], tokenize=False, add_generation_prompt=True)
        ids = tokenizer(expand(text, of_each), add_special_tokens=False).input_ids
        if sizes and "gemma3" in model.config.model_type:
            given["token_type_ids"] = torch.tensor([[int(id == model.config.image_token_id) for id in ids]])
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids]), **given).logits[0, -1]
            answer = model.generate(
                input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), **given, max_new_tokens=12, do_sample=False,
                eos_token_id=-1)
        answer = answer[0, len(ids):].tolist()
        written.append(dict(parts=parts, sizes=sizes, ids=ids, logits=[round(x, 6) for x in logits.tolist()], answer=answer))
        print(folder.name, of_each, len(ids), answer)
    (folder / "expected.json").write_text(json.dumps(dict(made_by=f"transformers {tf.__version__}, torch {torch.__version__}", chats=written)))


def text_config(kind, ids, **more):
    return dict(
        model_type=kind, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=len(ids), max_position_embeddings=256, pad_token_id=0, **more)


# --- Idefics3: tiles, squares of patches become one token -------------------------------------------------------------


def smolvlm(folder):
    tile, patch, merge = 16, 4, 2
    special = ["<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<global-img>", "<image>",
               *[f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2)]]
    ids = {token: i for i, token in enumerate(LETTERS + special)}
    template = (
        "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize | first }}{% if message['content'][0]['type'] == 'image' %}"
        "{{ ':' }}{% else %}{{ ': ' }}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
        "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
        "{% if add_generation_prompt %}{{ 'A:' }}{% endif %}")
    config = tf.SmolVLMConfig(
        text_config=text_config("llama", ids, rope_theta=10000.0, bos_token_id=ids["<|im_start|>"], eos_token_id=ids["<end_of_utterance>"]),
        vision_config=dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=tile, patch_size=patch),
        scale_factor=merge, image_token_id=ids["<image>"], tie_word_embeddings=False)
    model = saved(folder, tf.SmolVLMForConditionalGeneration, config, 7, 0.15)
    processor = Idefics3ImageProcessorPil(size={"longest_edge": 2 * tile}, max_image_size={"longest_edge": tile}, return_row_col_info=True)
    processor.save_pretrained(folder)
    write_tokenizer(folder, special, template, eos_token="<end_of_utterance>", bos_token="<|im_start|>")
    vision = model.config.vision_config
    write_projector(
        folder / "mmproj.gguf", "idefics3", vision, model.model.vision_model,
        {"mm.model.fc.weight": model.model.connector.modality_projection.proj.weight}, layers=vision.num_hidden_layers,
        preproc_image_size=2 * tile, **{"projector.scale_factor": merge})

    def look(pictures):
        seen = processor([pictures], return_tensors="pt")
        return dict(pixel_values=seen["pixel_values"]), list(zip(seen["rows"][0], seen["cols"][0]))

    def expand(text, tiles):
        for rows, columns in tiles:
            cut = "".join(
                "".join(f"<fake_token_around_image><row_{r + 1}_col_{c + 1}>@@" for c in range(columns)) + "\n" for r in range(rows))
            whole = ("\n" if rows else "") + "<fake_token_around_image><global-img>@@<fake_token_around_image>"
            text = text.replace("<image>", cut + whole, 1)
        return text.replace("@@", "<image>" * (tile // patch // merge) ** 2)

    write_chats(folder, model, look, expand)


# --- Gemma 3: patches are averaged, a picture's tokens see each other -------------------------------------------------


def gemma3(folder):
    special = ["<pad>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"]
    ids = {token: i for i, token in enumerate(LETTERS + special)}
    template = (
        "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message['role'] }}\n{% for item in message['content'] %}"
        "{% if item['type'] == 'image' %}{{ '<start_of_image>' }}{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}"
        "{% endfor %}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}")
    # 10 × 10 patches become 5 × 5 tokens: more than the window has, and than the first rows of a prompt that a graphics device gets.
    config = tf.Gemma3Config(
        text_config=text_config(
            "gemma3_text", ids, head_dim=16, query_pre_attn_scalar=16, sliding_window=6, layer_types=["sliding_attention", "full_attention"],
            bos_token_id=ids["<bos>"], eos_token_id=ids["<end_of_turn>"]),
        vision_config=dict(
            model_type="siglip_vision_model", hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=40,
            patch_size=4, vision_use_head=False),
        mm_tokens_per_image=25, boi_token_index=ids["<start_of_image>"], eoi_token_index=ids["<end_of_image>"],
        image_token_index=ids["<image_soft_token>"])
    # As the hub's files have it.
    names = [("vision_tower.", "vision_tower.vision_model.")]
    model = saved(folder, tf.Gemma3ForConditionalGeneration, config, 8, 0.3, names)
    processor = Gemma3ImageProcessorPil(size={"height": 40, "width": 40}, image_seq_length=25)
    processor.save_pretrained(folder)
    write_tokenizer(folder, special, template, eos_token="<end_of_turn>", bos_token="<bos>")
    vision, joint = model.config.vision_config, model.model.multi_modal_projector
    write_projector(
        folder / "mmproj.gguf", "gemma3", vision, model.model.vision_tower,
        {"mm.input_projection.weight": joint.mm_input_projection_weight, "mm.soft_emb_norm.weight": joint.mm_soft_emb_norm.weight + 1},
        layers=vision.num_hidden_layers, **{"projector.scale_factor": 2})

    def look(pictures):
        return dict(pixel_values=processor(pictures, return_tensors="pt")["pixel_values"]), [None] * len(pictures)

    def expand(text, _):
        return text.replace("<start_of_image>", "\n\n<start_of_image>" + "<image_soft_token>" * 25 + "<end_of_image>\n\n")

    write_chats(folder, model, look, expand)


# --- LLaVA: CLIP's encoder and two layers -----------------------------------------------------------------------------


def llava(folder, reads="llama", seed=9, **more):
    special = ["<s>", "</s>", "<image>"]
    ids = {token: i for i, token in enumerate(LETTERS + special)}
    template = (
        "{% for message in messages %}{{ message['role'].upper()[:1] + ': ' }}"
        "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
        "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'A:' }}{% endif %}")
    config = tf.LlavaConfig(
        text_config=text_config(reads, ids, bos_token_id=ids["<s>"], eos_token_id=ids["</s>"]),
        vision_config=dict(
            model_type="clip_vision_model", hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2, image_size=20,
            patch_size=5, projection_dim=8),
        image_token_index=ids["<image>"], tie_word_embeddings=False, **more)
    # Of the one with options as the classes themselves have it.
    names = [("language_model.model.", "model.language_model."), ("language_model.lm_head", "lm_head"),
             ("vision_tower.", "model.vision_tower."), ("multi_modal_projector.", "model.multi_modal_projector.")] if more else []
    model = saved(folder, tf.LlavaForConditionalGeneration, config, seed, 0.3, names)
    processor = LlavaImageProcessorPil(size={"shortest_edge": 20}, crop_size={"height": 20, "width": 20}, image_mean=[0.4] * 3, image_std=[0.3] * 3)
    processor.save_pretrained(folder)
    write_tokenizer(folder, special, template, eos_token="</s>", bos_token="<s>")
    vision, joint = model.config.vision_config, model.model.multi_modal_projector
    if not more:
        write_projector(
            folder / "mmproj.gguf", "mlp", vision, model.model.vision_tower,
            {f"mm.{i}.{part}": getattr(layer, part) for i, layer in [(0, joint.linear_1), (2, joint.linear_2)] for part in ("weight", "bias")},
            layers=vision.num_hidden_layers - 1, block=CLIP_BLOCK, mean=0.4, std=0.3)
    tokens = 17 if config.vision_feature_select_strategy == "full" else 16

    def look(pictures):
        return dict(pixel_values=processor(pictures, return_tensors="pt")["pixel_values"]), [None] * len(pictures)

    write_chats(folder, model, look, lambda text, _: text.replace("<image>", "<image>" * tokens))


def llava_qwen2(folder):
    llava(folder, "qwen2", 10, vision_feature_select_strategy="full", vision_feature_layer=-1, multimodal_projector_bias=False)


MODELS = {"smolvlm": smolvlm, "gemma3": gemma3, "llava": llava, "llava-qwen2": llava_qwen2}

for name in sys.argv[1:] or MODELS:
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    MODELS[name](folder)
