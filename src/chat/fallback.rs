//! Templates of our own for files that bring none, by family. A family is told by control tokens in the vocabulary;
//! those without any (their turns are ordinary text) can be asked for by name.

use crate::tokenizer::Tokenizer;

/// How a family of models was taught to take turns.
pub(super) struct Family {
    pub name: &'static str,
    /// Tokens that all must be in the vocabulary; none: never chosen unasked.
    markers: &'static [&'static str],
    pub source: &'static str,
}

/// The first row whose markers are all there counts, so what is more particular stands first.
static FAMILIES: &[Family] = &[
    Family {
        name: "phi-4",
        markers: &["<|im_start|>", "<|im_sep|>"],
        source: "{% for m in messages %}{{ '<|im_start|>' + m.role + '<|im_sep|>' + (m.content or '') + '<|im_end|>' }}\
                 {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}",
    },
    Family {
        name: "chatml",
        markers: &["<|im_start|>"],
        source: "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + (m.content or '') + '<|im_end|>\\n' }}\
                 {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    },
    Family {
        name: "llama-3",
        markers: &["<|start_header_id|>", "<|eot_id|>"],
        source: "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' \
                 + (m.content or '') | trim + '<|eot_id|>' }}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    },
    Family {
        name: "llama-4",
        markers: &["<|header_start|>", "<|eot|>"],
        source: "{{ bos_token }}{% for m in messages %}{{ '<|header_start|>' + m.role + '<|header_end|>\\n\\n' \
                 + (m.content or '') | trim + '<|eot|>' }}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<|header_start|>assistant<|header_end|>\\n\\n' }}{% endif %}",
    },
    Family {
        name: "gemma",
        markers: &["<start_of_turn>"],
        // A system message goes before the first question.
        source: "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}\
                 {% if m.role == 'system' %}{% set ns.system = m.content + '\\n\\n' %}{% else %}\
                 {{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' }}\
                 {% if m.role == 'user' %}{{ ns.system }}{% set ns.system = '' %}{% endif %}\
                 {{ (m.content or '') | trim + '<end_of_turn>\\n' }}{% endif %}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}",
    },
    Family {
        name: "phi-4-mini",
        markers: &["<|user|>", "<|assistant|>", "<|end|>", "<|tool_call|>"],
        source: "{% for m in messages %}{{ '<|' + m.role + '|>' + (m.content or '') + '<|end|>' }}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
    },
    Family {
        name: "phi-3",
        markers: &["<|user|>", "<|assistant|>", "<|end|>"],
        source: "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + (m.content or '') + '<|end|>\\n' }}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
    },
    Family {
        name: "gpt-oss",
        markers: &["<|start|>", "<|message|>", "<|channel|>"],
        // What the caller calls the system is the developer here, whose words are instructions.
        source: "{% for m in messages %}{% if m.role in ['system', 'developer'] %}\
                 {{ '<|start|>developer<|message|># Instructions\\n\\n' + m.content + '<|end|>' }}{% else %}\
                 {{ '<|start|>' + m.role }}{% if m.role == 'assistant' %}{{ '<|channel|>final' }}{% endif %}\
                 {{ '<|message|>' + (m.content or '') + '<|end|>' }}{% endif %}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}",
    },
    Family {
        name: "granite",
        markers: &["<|start_of_role|>", "<|end_of_role|>"],
        source: "{% for m in messages %}{{ '<|start_of_role|>' + m.role + '<|end_of_role|>' + (m.content or '') \
                 + '<|end_of_text|>\\n' }}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}",
    },
    Family {
        name: "command-r",
        markers: &["<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>"],
        source: "{{ bos_token }}{% set names = {'system': 'SYSTEM', 'user': 'USER', 'assistant': 'CHATBOT'} %}\
                 {% for m in messages %}{{ '<|START_OF_TURN_TOKEN|><|' + names.get(m.role, 'SYSTEM') + '_TOKEN|>' \
                 + (m.content or '') | trim + '<|END_OF_TURN_TOKEN|>' }}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}",
    },
    Family {
        name: "deepseek",
        markers: &["<｜User｜>", "<｜Assistant｜>"],
        source: "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '<｜User｜>' + m.content }}\
                 {% elif m.role == 'assistant' %}{{ '<｜Assistant｜>' + (m.content or '') + '<｜end▁of▁sentence｜>' }}\
                 {% else %}{{ m.content }}{% endif %}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}",
    },
    Family {
        name: "exaone",
        markers: &["[|assistant|]", "[|endofturn|]"],
        source: "{% for m in messages %}\
                 {% if loop.first and m.role != 'system' %}{{ '[|system|][|endofturn|]\\n' }}{% endif %}\
                 {{ '[|' + m.role + '|]' + (m.content or '') \
                 + ('\\n' if m.role == 'user' else '[|endofturn|]\\n') }}{% endfor %}\
                 {% if add_generation_prompt %}{{ '[|assistant|]' }}{% endif %}",
    },
    Family {
        name: "glm-4",
        markers: &["[gMASK]", "<sop>", "<|user|>"],
        source: "{{ '[gMASK]<sop>' }}{% for m in messages %}{{ '<|' + m.role + '|>\\n' + (m.content or '') }}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
    },
    Family {
        name: "mistral-v7",
        markers: &["[SYSTEM_PROMPT]", "[INST]", "[/INST]", "Ġthe"],
        source: "{{ bos_token }}{% for m in messages %}\
                 {% if m.role == 'system' %}{{ '[SYSTEM_PROMPT]' + m.content + '[/SYSTEM_PROMPT]' }}\
                 {% elif m.role == 'user' %}{{ '[INST]' + m.content + '[/INST]' }}\
                 {% else %}{{ (m.content or '') + eos_token }}{% endif %}{% endfor %}",
    },
    // Byte-level vocabularies (`Ġ` is a space) take no space around turns.
    Family { name: "mistral-tekken", markers: &["[INST]", "[/INST]", "Ġthe"], source: MISTRAL_TEKKEN },
    Family { name: "mistral", markers: &["[INST]", "[/INST]"], source: MISTRAL },
    Family {
        name: "zephyr",
        markers: &["<|user|>", "<|assistant|>"],
        source: "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + (m.content or '') + eos_token + '\\n' }}{% endfor %}\
                 {% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
    },
    Family {
        name: "llama-2",
        markers: &[],
        source: "{% set ns = namespace(system='') %}{% for m in messages %}\
                 {% if m.role == 'system' %}{% set ns.system = '<<SYS>>\\n' + m.content + '\\n<</SYS>>\\n\\n' %}\
                 {% elif m.role == 'user' %}{{ bos_token + '[INST] ' + ns.system + m.content | trim + ' [/INST]' }}\
                 {% set ns.system = '' %}\
                 {% else %}{{ ' ' + (m.content or '') | trim + ' ' + eos_token }}{% endif %}{% endfor %}",
    },
    // For models that learnt no turns at all: a dialogue as it would be written down.
    Family {
        name: "plain",
        markers: &[],
        source: "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content | trim + '\\n\\n' }}\
                 {% else %}{{ ('Assistant: ' if m.role == 'assistant' else 'User: ') + (m.content or '') | trim + '\\n' }}\
                 {% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
    },
];

/// A system message goes into the last question, as Mistral's own tokenizer puts it.
const MISTRAL: &str = "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}\
    {% if m.role == 'system' %}{% set ns.system = m.content + '\\n\\n' %}\
    {% elif m.role == 'user' %}{{ '[INST] ' + (ns.system if loop.last else '') + m.content + '[/INST]' }}\
    {% else %}{{ ' ' + (m.content or '') | trim + eos_token }}{% endif %}{% endfor %}";
const MISTRAL_TEKKEN: &str = "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}\
    {% if m.role == 'system' %}{% set ns.system = m.content + '\\n\\n' %}\
    {% elif m.role == 'user' %}{{ '[INST]' + (ns.system if loop.last else '') + m.content + '[/INST]' }}\
    {% else %}{{ (m.content or '') + eos_token }}{% endif %}{% endfor %}";

/// The family that a vocabulary hints at.
pub(super) fn of(tokenizer: &Tokenizer) -> Option<&'static Family> {
    let all = |family: &&Family| family.markers.iter().all(|marker| tokenizer.id(marker).is_some());
    FAMILIES.iter().filter(|family| !family.markers.is_empty()).find(all)
}

pub(super) fn named(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

/// All names, for messages.
pub(super) fn names() -> String {
    FAMILIES.iter().map(|family| family.name).collect::<Vec<_>>().join(", ")
}
