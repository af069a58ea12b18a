"""What Pillow makes of a small picture in other sizes: tests/golden/resize.json, for src/vision/resize.rs.

Run from the repository root: `python tests/golden/resize.py`. Made with Pillow 12. Nothing in the engine took part.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image


def picture(width, height):
    i = np.arange(3 * width * height, dtype=np.int64)
    return Image.fromarray(((i * i * 7 + i * 31) % 251).astype(np.uint8).reshape(height, width, 3))


cases = []
for filter in range(6):
    for (width, height), (to_width, to_height) in [((13, 7), (5, 3)), ((5, 4), (8, 9)), ((9, 6), (9, 2)), ((1, 1), (3, 2)), ((40, 3), (2, 3))]:
        resized = picture(width, height).resize((to_width, to_height), resample=filter)
        cases.append(dict(filter=filter, width=width, height=height, to_width=to_width, to_height=to_height,
                          pixels=np.asarray(resized).flatten().tolist()))
rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
Path("tests/golden/resize.json").write_text(f"[\n{rows}\n]\n")
