"""When transformers' pipeline hears each word of recorded sentences, greedily.

`python tests/golden/words.py WEIGHTS SENTENCES` writes tests/golden/speech/words.json: {made_by, model: {recording: [[word, start,
end]]}}. WEIGHTS is a folder with the hub's whisper-tiny.en and whisper-base, SENTENCES one with recordings. Made with torch 2.15.0
and transformers 5.23.0. Nothing in the engine took part.
"""

import json
import sys
import wave
from pathlib import Path

import numpy as np
import torch
import transformers as tf

weights, sentences = map(Path, sys.argv[1:3])
heard = dict(made_by=f"transformers {tf.__version__}, torch {torch.__version__}")
for model in ("tiny.en", "base"):
    pipeline = tf.pipeline("automatic-speech-recognition", model=str(weights / f"whisper-{model}"), dtype=torch.float32)
    heard[model] = {}
    for path in sorted(sentences.glob("en-*.wav" if model == "tiny.en" else "*.wav")):
        with wave.open(str(path)) as file:
            sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        words = pipeline(dict(raw=sound, sampling_rate=16_000), return_timestamps="word", generate_kwargs=dict(num_beams=1))["chunks"]
        heard[model][path.stem] = [[word["text"].strip(), *word["timestamp"]] for word in words]
Path(__file__).with_name("speech").joinpath("words.json").write_text(json.dumps(heard, ensure_ascii=False) + "\n")
