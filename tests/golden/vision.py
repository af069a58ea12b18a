"""Tiny random encoders of pictures, and what Hugging Face transformers makes of pictures with them.

Run from the repository root: `python tests/golden/vision.py` rewrites tests/golden/vision/; with a folder that holds DINOv2-small,
`python tests/golden/vision.py FOLDER` writes tests/golden/vision/dinov2-small.json instead. Made with torch 2.15.0,
transformers 5.23.0 and Pillow 12. Nothing in the engine took part.

Models that also read are made by `eyes.py`.

Each folder: safetensors as transformers saves them, config.json, preprocessor_config.json, and expected.json: {made_by, pictures},
each picture {width, height, vector}. Pictures are made by a formula, so that they need not be kept; `vector` is what the model's own
pooling makes of one, before it is brought to unit length.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers as tf
from PIL import Image
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
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


def main():
    if len(sys.argv) > 1:
        folder = sys.argv[1]
        model, processor = tf.Dinov2Model.from_pretrained(folder).eval(), BitImageProcessorPil.from_pretrained(folder)
        (HERE / "dinov2-small.json").write_text(seen(model, processor, [(640, 427), (300, 300)]))
        return

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


if __name__ == "__main__":
    main()
