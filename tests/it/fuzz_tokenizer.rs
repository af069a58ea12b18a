//! Mutated tokenizer files and chat templates: whatever they say, there is an answer or an `Error`, in bounded time,
//! and never a panic.
#![allow(clippy::explicit_auto_deref, reason = "without the stars no type is inferred")]

use crate::fuzz::{Random, cases};
use cresset::chat::{ChatTemplate, RenderOptions};
use cresset::tokenizer::{GgufVocab, Tokenizer};
use serde_json::{Value, json};
use std::cell::Cell;

/// Of each target.
const CASES: u64 = 1000;

const STRINGS: [&str; 30] = [
    "",
    " ",
    "a",
    "ab",
    "▁",
    "▁a",
    "Ġ",
    "Ġa",
    "é",
    "😀",
    "<0x41>",
    "<0xZZ>",
    "##a",
    "<s>",
    "</s>",
    "<unk>",
    "a b",
    "  ",
    "a  b",
    "\u{0}",
    "\u{FFFD}",
    "e\u{301}",
    "<|im_end|>",
    "\\s+",
    "(",
    "[a-",
    "(?=a)b|\\s+(?!\\S)|\\s+",
    "(a*)*b",
    "a{0,999}",
    "\u{85}",
];

const KINDS: [&str; 34] = [
    "BPE",
    "WordPiece",
    "Unigram",
    "WordLevel",
    "Sequence",
    "ByteLevel",
    "Metaspace",
    "Split",
    "Digits",
    "Whitespace",
    "WhitespaceSplit",
    "Punctuation",
    "BertPreTokenizer",
    "BertNormalizer",
    "NFC",
    "NFKD",
    "Lowercase",
    "Strip",
    "StripAccents",
    "Prepend",
    "Replace",
    "Precompiled",
    "ByteFallback",
    "Fuse",
    "Nothing",
    "TemplateProcessing",
    "RobertaProcessing",
    "BertProcessing",
    "MergedWithNext",
    "Removed",
    "Contiguous",
    "first",
    "always",
    "never",
];

fn value(random: &mut Random) -> Value {
    match random.below(12) {
        0 => Value::Null,
        1 => json!(random.below(2) == 0),
        2 => json!(random.below(12)),
        3 => json!(-1),
        4 => json!(u64::MAX),
        5 => json!(1.5),
        6 => json!([]),
        7 => json!({}),
        8 => json!({"type": *random.pick(&KINDS)}),
        9 => json!([*random.pick(&STRINGS), *random.pick(&STRINGS)]),
        10 => json!(*random.pick(&KINDS)),
        _ => json!(*random.pick(&STRINGS)),
    }
}

/// Changes one place of a JSON value: replaces, removes or copies it.
fn mutate(value_in: &mut Value, random: &mut Random) {
    match value_in {
        Value::Object(map) if !map.is_empty() && random.below(8) > 0 => {
            let key = map.keys().nth(random.below(map.len())).expect("a key").clone();
            match random.below(10) {
                0 => drop(map.remove(&key)),
                1 => drop(map.insert((*random.pick(&STRINGS)).into(), value(random))),
                _ => mutate(&mut map[&key], random),
            }
        }
        Value::Array(list) if !list.is_empty() && random.below(8) > 0 => {
            let i = random.below(list.len());
            match random.below(10) {
                0 => drop(list.remove(i)),
                1 => list.push(list[i].clone()),
                _ => mutate(&mut list[i], random),
            }
        }
        // Long texts are tables in base 64.
        Value::String(text) if text.len() > 100 && random.below(4) > 0 => {
            for _ in 0..1 + random.below(3) {
                let at = text.floor_char_boundary(random.below(text.len()));
                text.replace_range(
                    at..text.ceil_char_boundary(at + 1),
                    *random.pick(&["A", "B", "/", "+", "w", "8", "="]),
                );
            }
        }
        place => *place = value(random),
    }
}

/// Everything a tokenizer can be asked, on texts and ids that fit it badly.
fn exercise(tokenizer: &Tokenizer, random: &mut Random) {
    let text: String = (0..random.below(20)).map(|_| *random.pick(&STRINGS)).collect();
    let texts = [text.as_str(), "Hello, wörld!  1234\n\n  😀 <s>x</s>", &"ab a  ".repeat(random.below(3000))];
    for text in texts {
        for (add_special, parse_special) in [(false, false), (true, true)] {
            if let Ok(ids) = tokenizer.encode(text, add_special, parse_special) {
                assert!(tokenizer.decode(&ids, false).is_ok(), "what was encoded can be decoded");
                assert!(tokenizer.decode(&ids, true).is_ok());
            }
        }
    }
    let mut stream = tokenizer.stream();
    for _ in 0..20 {
        let id = random.below(tokenizer.vocab_size() + 2) as u32;
        assert_eq!(stream.push(id).is_ok(), tokenizer.token_bytes(id).is_some());
    }
    stream.flush();
    let info = tokenizer.info();
    for id in info.prefix.iter().chain(&info.suffix).chain(&info.bos).chain(&info.eos) {
        assert!(tokenizer.token_bytes(*id).is_some(), "{info:?}");
    }
}

fn seeds() -> [Value; 4] {
    let token = |id: u32, content: &str, special: bool, normalized: bool, word: bool| {
        json!({"id": id, "content": content, "special": special, "normalized": normalized, "single_word": word,
            "lstrip": id == 8, "rstrip": id == 8})
    };
    let added = json!([
        token(8, "<s>", true, false, false),
        token(9, "</s>", true, true, false),
        token(10, "ab a", false, true, true)
    ]);
    let unigram: Value = serde_json::from_str(include_str!("../tokenizers/unigram.json")).expect("JSON");
    let template = json!({"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [8], "tokens": ["<s>"]}}});
    [
        json!({"added_tokens": added, "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "\\p{L}+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": false},
                {"type": "Digits", "individual_digits": true},
                {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
            ]},
            "post_processor": template, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "Ġa": 3, "ab": 4, "Ċ": 5, "1": 6, "Ã": 7},
                "merges": [["Ġ", "a"], ["a", "b"]], "ignore_merges": false, "unk_token": "a"}}),
        json!({"added_tokens": added, "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                {"type": "Replace", "pattern": {"Regex": "\\d+"}, "content": "1"}, {"type": "Strip", "strip_left": true, "strip_right": false}, {"type": "Lowercase"}
            ]},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true},
            "post_processor": {"type": "Sequence", "processors": [template]},
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}
            ]},
            "model": {"type": "BPE", "vocab": {"▁": 0, "a": 1, "b": 2, "▁a": 3, "ab": 4, "<unk>": 5, "<0x41>": 6, "aa": 7},
                "merges": ["▁ a", "a b", "a a"], "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true}}),
        json!({"added_tokens": added, "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["</s>", 9], "cls": ["<s>", 8]},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "a": 1, "##b": 2, "hello": 3, ",": 4, "w": 5, "##a": 6, "1": 7},
                "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}}),
        json!({"added_tokens": added, "normalizer": unigram["normalizer"],
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
            "post_processor": template, "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
            "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [["<unk>", 0.0], ["▁", -2.0],
                ["a", -3.0], ["b", -3.5], ["▁a", -4.0], ["ab", -4.5], ["▁ab", -6.0], ["fi", -7.0]]}}),
    ]
}

#[test]
fn tokenizer_json() {
    let seeds = seeds();
    for seed in &seeds {
        let tokenizer = Tokenizer::from_json(&seed.to_string(), None, None, None).expect("the seeds are well formed");
        exercise(&tokenizer, &mut Random(1));
    }
    let config = json!({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true, "eos_token_id": [1, 9]});
    cases(CASES, |random| {
        let mut file = random.pick(&seeds).clone();
        let mut config = config.clone();
        for _ in 0..1 + random.below(4) {
            mutate(&mut file, random);
        }
        mutate(&mut config, random);
        if let Ok(tokenizer) = Tokenizer::from_json(&file.to_string(), Some(&config), Some(&config), None) {
            exercise(&tokenizer, random);
        }
    });
}

/// Patterns from a grammar, hostile ones among them: refused, or soon done with texts that make them go back.
#[test]
fn patterns() {
    const ATOMS: [&str; 16] =
        ["a", "b", ".", "\\s", "\\p{L}", "\\p{N}", "[^a]", "[a-z]", "'", "\\d", "(?i:s)", "\\w", "^", "$", "é", " "];
    const COUNTS: [&str; 9] = ["*", "+", "?", "{1,3}", "{2,}", "*?", "++", "{0,999}", "{3}{9}"];
    fn pattern(random: &mut Random, depth: usize) -> String {
        let mut text = String::new();
        for _ in 0..1 + random.below(3) {
            let inner = if depth == 0 { 0 } else { random.below(7) };
            text += &match inner {
                1 => format!("({})", pattern(random, depth - 1)),
                2 => format!("(?:{}|{})", pattern(random, depth - 1), pattern(random, depth - 1)),
                3 => format!("(?={})", pattern(random, depth - 1)),
                4 => format!("(?!{})", pattern(random, depth - 1)),
                5 => format!("(?<={})", pattern(random, depth - 1)),
                6 => format!("({})\\1", pattern(random, depth - 1)),
                _ => (*random.pick(&ATOMS)).to_owned(),
            };
            if random.below(2) == 0 {
                text += *random.pick(&COUNTS);
            }
        }
        text
    }
    let texts = ["a".repeat(3000), "ab ".repeat(1000), format!("{}!", "aé1 ".repeat(700)), " ".repeat(3000)];
    let [seed, ..] = seeds();
    let (split, refused) = (Cell::new(0), Cell::new(0));
    cases(CASES, |random| {
        let mut file = seed.clone();
        file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = pattern(random, 3).into();
        let Ok(tokenizer) = Tokenizer::from_json(&file.to_string(), None, None, None) else {
            return refused.set(refused.get() + 1);
        };
        split.set(split.get() + 1);
        for text in &texts {
            // A text on which it goes back too often is refused.
            let _ = tokenizer.encode(text, false, false);
        }
    });
    let (split, refused) = (split.get(), refused.get());
    assert!(split + refused == 1 || (split > 0 && refused > 0), "one side only: {split} split, {refused} refused");
}

/// What the seeds mean is what the crate that defines the format makes of them.
#[test]
fn seeds_as_the_tokenizers_crate_reads_them() {
    let texts = [
        "",
        " ",
        "a",
        "  a b ",
        "ab a",
        "Hello, WÖRLD!  1234\n\n",
        "<s>ab</s>a<s> ab a",
        "aaaab bab",
        "中文 a,b",
        "ﬁ  ①\tｂ",
        "x ab ax y",
    ];
    for seed in seeds() {
        let ours = Tokenizer::from_json(&seed.to_string(), None, None, None).expect("well formed");
        let theirs = tokenizers::Tokenizer::from_bytes(seed.to_string()).expect("well formed");
        for text in texts {
            for add_special in [false, true] {
                let want = theirs.encode(text, add_special).expect("encodes");
                let ids = ours.encode(text, add_special, true).expect("encodes");
                assert_eq!(ids, want.get_ids(), "{text:?} by {}", seed["model"]);
            }
        }
    }
}

#[test]
fn tokenizer_json_bytes() {
    let seeds = seeds().map(|seed| seed.to_string().into_bytes());
    cases(CASES, |random| {
        let mut bytes = random.pick(&seeds).clone();
        for _ in 0..1 + random.below(4) {
            let i = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[i] = random.next() as u8,
                1 => bytes.truncate(i),
                2 => bytes[i] = *random.pick(b"0123456789{}[]\",:\\-"),
                _ => drop(bytes.drain(i..(i + random.below(30)).min(bytes.len()))),
            }
            if bytes.is_empty() {
                return;
            }
        }
        if let Ok(tokenizer) = Tokenizer::from_json(&String::from_utf8_lossy(&bytes), None, None, None) {
            exercise(&tokenizer, random);
        }
    });
}

#[test]
fn gguf_vocabularies() {
    cases(CASES / 4, |random| {
        let n = 1 + random.below(400);
        let token = |random: &mut Random, id: usize| match random.below(6) {
            0 => (*random.pick(&STRINGS)).to_owned(),
            1 => format!("<0x{:02X}>", id % 256),
            2 => [*random.pick(&STRINGS), *random.pick(&STRINGS)].concat(),
            _ => char::from_u32(33 + id as u32 % 300).map(String::from).unwrap_or_default(),
        };
        let tokens: Vec<String> = (0..n).map(|id| token(random, id)).collect();
        let sized = |random: &mut Random| if random.below(20) == 0 { random.below(n + 3) } else { n };
        let scores: Vec<f32> = (0..sized(random))
            .map(|_| {
                if random.below(2000) == 0 {
                    f32::from_bits(random.next() as u32)
                } else {
                    random.below(50) as f32 - 25.0
                }
            })
            .collect();
        let types: Vec<i32> =
            (0..sized(random)).map(|_| if random.below(4) == 0 { random.below(9) as i32 - 1 } else { 1 }).collect();
        let merges: Vec<String> = (0..random.below(40))
            .filter_map(|_| {
                let (left, right) = (random.pick(&tokens), random.pick(&tokens));
                let joins = tokens.contains(&[left.as_str(), right].concat()) || random.below(200) == 0;
                joins.then(|| format!("{left} {right}"))
            })
            .collect();
        let id = |random: &mut Random| {
            (random.below(3) > 0).then(|| match random.below(12) {
                0 => u32::MAX,
                1 => n as u32,
                _ => random.below(n) as u32,
            })
        };
        let charsmap: Vec<u8> = (0..random.below(3000)).map(|_| random.next() as u8 >> random.below(9)).collect();
        let flag = |random: &mut Random| [None, Some(true), Some(false)][random.below(3)];
        let vocab = GgufVocab {
            name: *random.pick(&[None, Some("Phi-3 mini")]),
            model: *random.pick(&["gpt2", "llama", "bert", "llama", "gpt2", "t5", "gemma4"]),
            pre: *random.pick(&[
                None,
                Some("gpt-2"),
                Some("default"),
                Some("smollm"),
                Some("qwen2"),
                Some("llama-bpe"),
                Some(""),
            ]),
            tokens: &tokens,
            scores: (random.below(10) > 0).then_some(&scores[..]),
            token_types: (random.below(10) > 0).then_some(&types[..]),
            merges: (random.below(10) > 0).then_some(&merges[..]),
            bos: id(random),
            eos: id(random),
            eot: id(random),
            eom: None,
            unk: id(random),
            sep: id(random),
            cls: id(random),
            add_bos: flag(random),
            add_eos: flag(random),
            add_sep: flag(random),
            add_space_prefix: flag(random),
            remove_extra_whitespaces: flag(random),
            precompiled_charsmap: (random.below(4) == 0).then_some(&charsmap[..]),
            lowercase: flag(random),
            strip_accents: flag(random),
        };
        if let Ok(tokenizer) = Tokenizer::from_vocab(&vocab) {
            exercise(&tokenizer, random);
        }
    });
}

/// Marian's two files: pieces in a damaged message, ids that are none.
#[test]
fn marian_vocabularies() {
    let read = |name: &str| std::fs::read(format!("tests/golden/seq2seq/marian/{name}")).expect("a file");
    let (whole, all) = (read("source.spm"), read("vocab.json"));
    let all: Value = serde_json::from_slice(&all).expect("JSON");
    cases(CASES / 4, |random| {
        let (mut pieces, mut ids) = (whole.clone(), all.clone());
        if random.below(4) > 0 {
            random.mutate(&mut pieces, &whole);
        }
        if random.below(2) == 0 {
            mutate(&mut ids, random);
        }
        if let Ok(tokenizer) = Tokenizer::from_marian(&pieces, &ids) {
            exercise(&tokenizer, random);
        }
    });
}

#[test]
fn chat_templates() {
    const PIECES: [&str; 40] = [
        "{{ ",
        " }}",
        "{% ",
        " %}",
        "{%- ",
        " -%}",
        "{# ",
        " #}",
        "for m in messages",
        "endfor",
        "if m.role == 'user'",
        "else",
        "endif",
        "set x = ",
        "m.content",
        "messages",
        "[0]",
        "[::-1]",
        "[1:]",
        ".split('a')",
        " | trim",
        " | tojson",
        " | tojson(indent=4)",
        " | map(attribute='role') | list",
        "namespace(a=1)",
        "generation",
        "endgeneration",
        "raise_exception('no')",
        "strftime_now('%d %q')",
        "'x' * 9999",
        "range(99999)",
        "macro f(a)",
        "endmacro",
        "f(1)",
        "loop.index0",
        " + ",
        " ~ ",
        "1 // 0",
        "é😀",
        "x",
    ];
    let seeds = [
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}{% if loop.last %}{{ eos_token }}{% endif %}{% endfor %}",
        "{%- set ns = namespace(n=0) -%}{% for m in messages[::-1] %}{% generation %}{{ m | tojson }}{% endgeneration %}{% endfor %}{{ ns.n }}",
    ];
    let messages = [
        json!({"role": "user", "content": "é <|x|> \u{0}"}),
        json!({"role": "assistant", "content": [{"type": "text"}]}),
    ];
    let options = RenderOptions { add_generation_prompt: true, now: Some(0), ..Default::default() };
    cases(10 * CASES, |random| {
        let mut source = if random.below(3) == 0 { String::new() } else { (*random.pick(&seeds)).to_owned() };
        for _ in 0..1 + random.below(8) {
            let i = source.floor_char_boundary(random.below(source.len() + 1));
            let end = source.floor_char_boundary((i + random.below(12)).min(source.len())).max(i);
            source.replace_range(i..if random.below(2) == 0 { end } else { i }, *random.pick(&PIECES));
        }
        if let Ok(template) = ChatTemplate::new(&source, Some("<s>"), Some("</s>")) {
            let _ = template.render(&messages, &options);
        }
    });
}
