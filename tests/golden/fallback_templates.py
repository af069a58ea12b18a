#!/usr/bin/env python3
"""Makes fallback_templates.json: what llama.cpp's own (not Jinja) templates make of a conversation, by family.

    python tests/golden/fallback_templates.py

Made with llama-cpp-python 0.3.36. {our name of the family: {"theirs", "turns", "system"}}; a beginning-of-text token is not
among it, which llama.cpp adds to the ids.
"""

import ctypes
import json
from pathlib import Path

import llama_cpp

TURNS = [("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")]
SYSTEM = [("system", "Sys"), *TURNS]
FAMILIES = {
    "phi-4": "phi4", "chatml": "chatml", "llama-3": "llama3", "llama-4": "llama4", "gemma": "gemma", "phi-3": "phi3",
    "granite": "granite", "command-r": "command-r", "deepseek": "deepseek3", "exaone": "exaone3", "glm-4": "chatglm4",
    "mistral-v7": "mistral-v7-tekken", "mistral-tekken": "mistral-v3-tekken", "mistral": "mistral-v3", "zephyr": "zephyr"}


def render(name, turns):
    turns = [llama_cpp.llama_chat_message(role=role.encode(), content=text.encode()) for role, text in turns]
    room = ctypes.create_string_buffer(4096)
    chat = (llama_cpp.llama_chat_message * len(turns))(*turns)
    length = llama_cpp.llama_chat_apply_template(name.encode(), chat, len(turns), True, room, len(room))
    assert 0 < length < len(room), name
    return room.raw[:length].decode()


if __name__ == "__main__":
    made = {ours: {"theirs": theirs, "turns": render(theirs, TURNS), "system": render(theirs, SYSTEM)}
            for ours, theirs in FAMILIES.items()}
    text = json.dumps(made, indent=1, ensure_ascii=False)
    Path(__file__).with_name("fallback_templates.json").write_text(text + "\n")
