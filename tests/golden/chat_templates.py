"""Expected prompts for tests/chat.rs, rendered by the chat-template code of Hugging Face transformers (jinja2).

    python tests/golden/chat_templates.py SHARED_DATA/chat-templates > tests/golden/chat_templates.json

The templates themselves are not committed: each case names the file its template is read from, or holds a small one
written for these tests.
"""

import datetime
import json
import sys
from pathlib import Path

from transformers.utils import chat_template_utils

NOW = 1772582400 + 5 * 3600 + 4 * 60 + 9  # 2026-03-04 05:04:09, a Wednesday


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(tzinfo=None)


chat_template_utils.datetime = Clock

TURNS = [{"role": "user", "content": "Hello, who are you?"}]
SYSTEM = [{"role": "system", "content": "  You are <terse> & \"quoted\".\n"}, *TURNS]
LONG = [
    *SYSTEM,
    {"role": "assistant", "content": "\nI am a model.\n"},
    {"role": "user", "content": "Was ist ½ + ¼? 😀\n\n"},
]
THOUGHT = [
    *TURNS,
    {"role": "assistant", "content": "<think>\nA greeting.\n</think>\n\nHi."},
    {"role": "user", "content": "Again."},
    {"role": "assistant", "content": "<think>\nOnce more.\n</think>\n\nHi again."},
]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city: wind < 5, rain & 'sun', é.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "number", "default": 1.5, "nullable": True}},
                "required": ["city"],
                "additionalProperties": False,
                "examples": [None, 0.25, 123456789012345678, []],
            },
        },
    }
]
CALLS = [
    {"role": "system", "content": "Use tools."},
    {"role": "user", "content": "Weather in Zürich and Ulm?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}},
            {"id": "2", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Ulm"}}},
        ],
    },
    {"role": "tool", "content": "rain"},
    {"role": "tool", "content": "sun"},
]
DOCUMENTS = [
    {"title": "Zürich & Ulm", "text": "Two <old> cities."},
    {"doc_id": 2, "title": "Rain", "text": "It \"rains\"."},
]
BEGUN = [*TURNS, {"role": "assistant", "content": "\nMy name is "}]
PARTS = [
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What is this? "}]},
]

# Small templates: one point each.
SMALL = {
    "blocks": "{% for m in messages %}\n  {% if m.role == 'user' %}\n[{{ m.content }}]\n  {% endif %}\n{% endfor %}\nend\n",
    "trim": "{%- for m in messages -%}\n  {{- m['role'] + ':' + m['content'] | trim -}}\n{%- endfor -%}\n  tail  \n",
    "tojson": "{{ tools | tojson }}|{{ tools | tojson(indent=2) }}|{{ {'b': [], 'a': {}} | tojson(sort_keys=true) }}|"
    "{{ numbers | tojson }}|{{ 'é😀\"\\\\' | tojson(ensure_ascii=true) }}|{{ [1, 2] | tojson(separators=(',', ':')) }}|{{ '<&>\\'' | tojson }}",
    "python_text": "{{ true }} {{ none }} {{ 1.0 }} {{ [1, 'a', none] }} {{ {'k': false, 'q': \"it's\"} }} {{ 7 // 2 }} {{ 7 / 2 }} "
    "{{ tools[0] | string }}",
    "methods": "{{ ' a,b '.strip().split(',') | join('+') }} {{ 'Abc'.lower() }} {{ 'x' * 3 }} {{ 'abc'[1:] }} {{ 'abc'[::-1] }} "
    "{{ messages[0].get('nothing', 'default') }} {% for k, v in {'a': 1}.items() %}{{ k }}={{ v }}{% endfor %} "
    "{{ 'ab'.startswith('a') }} {{ 'ab'.replace('a', 'c') }} {{ '%d' | format(3) }} {{ 'a b'.title() }}",
    "namespace": "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
    "loop_controls": "{% for m in messages %}{% if loop.index > 2 %}{% break %}{% endif %}"
    "{% if m.role == 'system' %}{% continue %}{% endif %}{{ m.content }}{% endfor %}",
    "generation": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}\n{%- generation -%} x {%- endgeneration -%}\n{% endfor %}",
    "date": "{{ strftime_now('%d %B %Y, %A %H:%M:%S %p %-d %j %y %b %a %I') }}",
    "tokens": "{{ bos_token }}{{ eos_token }}{{ unknown_variable }}{% if tools is none %}no tools{% endif %}",
    "macro": "{% macro turn(m, mark='#') %}{{ mark }}{{ m.content }}{% endmacro %}{% for m in messages %}{{ turn(m) }}{{ turn(m, mark='!') }}{% endfor %}",
    "filters": "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list | length }} "
    "{{ messages | map(attribute='role') | unique | join(',') }} {{ (messages | last).role }} {{ messages[-1]['role'] }} "
    "{{ messages[1:] | length }} {{ none | default('d', true) }} {{ 'A' | lower }} {{ [3, 1] | sort | first }}",
    "set": "{% set a, b = 1, 'x=%}y' %}{% set c = 'q' if false %}{%- set d = 7 % 4 -%}{% set e %}[{{ a }}]{% endset %}"
    "{% set f = {'k': \"%'\"} %}{{ a }}{{ b }}{{ c is defined }}{{ d }}{{ e }}{{ f.k }}",
    "documents": "{% for d in documents or [] %}[{{ loop.index }}] {{ d.title }}: {{ d['text'] }} {{ d.doc_id is defined }}\n{% endfor %}"
    "{{ documents | tojson }}{% for m in messages %}{{ m.content }}{% endfor %}",
    "raise": "line one\n{{ raise_exception('only user turns, please') }}",
}

FILES = {
    "qwen2.5": "qwen2.5--tokenizer_config.json",
    "qwen3": "qwen3--tokenizer_config.json",
    "smollm3": "v5--smollm3--chat_template.jinja",
    "gemma-3": "gemma-3-chat--chat_template.json",
    "phi-4": "phi-4-base--tokenizer_config.json",
}


def case(name, messages, template=None, file=None, **options):
    return {"name": name, "template": template, "file": file, "messages": messages, "options": options}


def cases():
    for model, file in FILES.items():
        yield case(f"{model} one turn", TURNS, file=file, add_generation_prompt=True)
        yield case(f"{model} system", SYSTEM, file=file, add_generation_prompt=True)
        yield case(f"{model} several turns", LONG, file=file)
        yield case(f"{model} thoughts", THOUGHT, file=file, add_generation_prompt=True)
        yield case(f"{model} goes on", BEGUN, file=file, continue_final_message=True)
        yield case(f"{model} no thinking", LONG, file=file, add_generation_prompt=True, extra={"enable_thinking": False})
    for model in ["qwen2.5", "qwen3", "smollm3"]:
        yield case(f"{model} tools", SYSTEM, file=FILES[model], tools=TOOLS, add_generation_prompt=True)
        yield case(f"{model} tool calls", CALLS, file=FILES[model], tools=TOOLS, add_generation_prompt=True)
    yield case("smollm3 override", [{"role": "system", "content": "Be brief. /system_override /no_think"}, *TURNS],
               file=FILES["smollm3"], add_generation_prompt=True)
    yield case("gemma-3 image", PARTS, file=FILES["gemma-3"], add_generation_prompt=True)
    yield case("gemma-3 roles do not alternate", [*TURNS, *TURNS], file=FILES["gemma-3"])
    for name, template in SMALL.items():
        options = {"tools": TOOLS} if name in ("tojson", "python_text") else {}
        if name == "documents":
            options["documents"] = DOCUMENTS
        if name == "tojson":
            options["extra"] = {"numbers": [1e-7, 0.0001, 1e15, 1e16, 1.5e300, -0.0, 2**63, -5]}
        yield case(name, LONG, template=template, **options)


def main(folder):
    out = []
    for entry in cases():
        template, tokens = entry["template"], {"bos_token": "<s>", "eos_token": "</s>"}
        if entry["file"]:
            text = (folder / entry["file"]).read_text()
            template = text if entry["file"].endswith(".jinja") else json.loads(text)["chat_template"]
        options = dict(entry["options"])
        extra = options.pop("extra", {})
        try:
            rendered, _ = chat_template_utils.render_jinja_template(
                conversations=[entry["messages"]],
                tools=options.get("tools"),
                documents=options.get("documents"),
                continue_final_message=options.get("continue_final_message", False),
                chat_template=template,
                add_generation_prompt=options.get("add_generation_prompt", False),
                **extra,
                **tokens,
            )
            entry["expected"] = rendered[0]
        except Exception as error:  # what the template refuses
            entry["error"] = str(error)
        out.append({key: value for key, value in entry.items() if value is not None})
    script = "written by tests/golden/chat_templates.py"
    json.dump({"about": script, "now": NOW, **tokens, "cases": out}, sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")


main(Path(sys.argv[1]))
