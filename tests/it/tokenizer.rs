//! Tokenizers against published ids, against the `tokenizers` crate, and against themselves.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::support::shared::{read, shared};
use crate::support::skip::skipped;
use crate::support::variant::Variant;
use cresset::tokenizer::{GgufVocab, Tokenizer};
use cresset::weights::{Checkpoint, Files, GgufWriter, MemorySource};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The tokenizer of a GGUF file in the shared data.
fn gguf(path: &str) -> Option<Tokenizer> {
    Some(from_gguf(std::fs::read(shared(path)?).expect("a readable file")))
}

fn from_gguf(bytes: Vec<u8>) -> Tokenizer {
    let files = Files::single(MemorySource::new("test.gguf", bytes));
    let checkpoint = pollster::block_on(Checkpoint::open(files)).expect("a GGUF file");
    Tokenizer::from_checkpoint(&checkpoint).expect("a tokenizer").expect("a vocabulary")
}

fn json(path: &str) -> Option<Tokenizer> {
    Some(Tokenizer::from_json(&read(path)?, None, None, None).expect("a tokenizer"))
}

/// The 47 strings of llama.cpp's vocabulary tests and the ids expected for each, no BOS, no EOS.
fn suite(name: &str) -> Option<Vec<(String, Vec<u32>)>> {
    let texts = read(&format!("tokenizers/ggml-vocab-{name}.gguf.inp"))?;
    let ids = read(&format!("tokenizers/ggml-vocab-{name}.gguf.out"))?;
    let texts: Vec<_> = texts.split("\n__ggml_vocab_test__\n").map(str::to_owned).collect();
    let ids: Vec<Vec<u32>> =
        ids.lines().map(|line| line.split_whitespace().map(|id| id.parse().expect("an id")).collect()).collect();
    assert_eq!(texts.len(), 47);
    // The last string is empty, and so is its line.
    assert!(texts[46].is_empty() && (ids.len() == 46 || ids[46].is_empty()));
    Some(texts.into_iter().zip(ids.into_iter().chain([vec![]])).collect())
}

fn check_suite(name: &str, tokenizer: &Tokenizer) {
    let Some(suite) = suite(name) else { return };
    let wrong: Vec<_> = suite
        .iter()
        .map(|(text, want)| (text, want, tokenizer.encode(text, false, false).expect("encodes")))
        .filter(|(_, want, got)| *want != got)
        .collect();
    assert!(wrong.is_empty(), "{name}: {} of {} texts differ: {wrong:#?}", wrong.len(), suite.len());
}

/// The `tokenizer.json` of a family whose suite the shared data has, but not its vocabulary: `CRESSET_VOCABULARIES` names
/// the folder that has it.
fn published(family: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("CRESSET_VOCABULARIES") else {
        skipped(&format!("the vocabulary of {family} (CRESSET_VOCABULARIES does not say where it is)"));
        return None;
    };
    let path = std::path::Path::new(&folder).join(format!("{family}.json"));
    Some(std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// The same vocabulary as GGUF keeps it.
fn as_gguf(source: &str, pre: &str) -> Tokenizer {
    let source: Value = serde_json::from_str(source).expect("JSON");
    let mut tokens: Vec<(u64, &str, i32)> = Vec::new();
    for (text, id) in source["model"]["vocab"].as_object().expect("a vocabulary") {
        tokens.push((id.as_u64().expect("an id"), text, 1));
    }
    for token in source["added_tokens"].as_array().expect("added tokens") {
        let kind = if token["special"] == true { 3 } else { 4 };
        tokens.push((token["id"].as_u64().expect("an id"), token["content"].as_str().expect("text"), kind));
    }
    tokens.sort();
    tokens.dedup_by_key(|(id, ..)| *id);
    let merge = |merge: &Value| match merge {
        Value::String(merge) => merge.clone(),
        pair => format!("{} {}", pair[0].as_str().expect("text"), pair[1].as_str().expect("text")),
    };
    let merges: Vec<String> = source["model"]["merges"].as_array().expect("merges").iter().map(merge).collect();
    let mut bytes = Vec::new();
    let writer = GgufWriter::new().set("general.architecture", "llama").set("tokenizer.ggml.model", "gpt2");
    let writer = writer.set("tokenizer.ggml.pre", pre).set("tokenizer.ggml.merges", merges);
    let writer = writer.set("tokenizer.ggml.token_type", tokens.iter().map(|(.., kind)| *kind).collect::<Vec<_>>());
    let texts: Vec<String> = tokens.iter().map(|(_, text, _)| (*text).to_owned()).collect();
    writer.set("tokenizer.ggml.tokens", texts).write(&mut bytes).expect("a file in memory");
    from_gguf(bytes)
}

#[test]
fn published_ids() {
    for name in ["gpt-2", "llama-spm", "bert-bge", "phi-3"] {
        let Some(tokenizer) = gguf(&format!("tokenizers/ggml-vocab-{name}.gguf")) else { continue };
        check_suite(name, &tokenizer);
    }
    for (name, family) in [("llama-bpe", "llama3"), ("qwen2", "qwen3")] {
        let Some(source) = published(family) else { continue };
        check_suite(name, &Tokenizer::from_json(&source, None, None, None).expect("a tokenizer"));
        check_suite(name, &as_gguf(&source, name));
    }
}

/// The tokenizer of a committed file.
fn own(name: &str) -> Tokenizer {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tokenizers/").to_owned() + name;
    let bytes = std::fs::read(path).expect("a readable file");
    match name.ends_with(".json") {
        true => Tokenizer::from_json(&String::from_utf8(bytes).expect("text"), None, None, None).expect("a tokenizer"),
        false => from_gguf(bytes),
    }
}

fn check_recorded(name: &str, tokenizer: &Tokenizer, cases: &Value) {
    let mut wrong = Vec::new();
    for case in cases.as_array().expect("cases") {
        let text = case["text"].as_str().expect("a text");
        let want: Vec<u32> = serde_json::from_value(case["ids"].clone()).expect("ids");
        let got = tokenizer.encode(text, false, false).expect("encodes");
        if got != want {
            wrong.push(format!("{text:?}:\n     {got:?}\nwant {want:?}"));
        }
        let decoded = tokenizer.decode(&want, false).expect("decodes");
        if case["decoded"].as_str().is_some_and(|want| want != decoded) {
            wrong.push(format!("{want:?} decodes to {decoded:?}, want {}", case["decoded"]));
        }
    }
    assert!(wrong.is_empty(), "{name}: {} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Ids and texts recorded from sentencepiece and Hugging Face's tokenizers (`tests/golden/splits.py`): small
/// vocabularies of every kind, and published ones in the shared data.
#[test]
fn recorded_ids() {
    let expected: Value = serde_json::from_str(include_str!("../tokenizers/expected.json")).expect("JSON");
    let files = expected["own"].as_object().expect("files");
    assert_eq!(files.len(), 8);
    for (name, cases) in files {
        check_recorded(name, &own(name), cases);
    }
    for (path, cases) in expected["shared"].as_object().expect("files") {
        let tokenizer = if path.ends_with(".json") { json(path) } else { gguf(path) };
        tokenizer.inspect(|tokenizer| check_recorded(path, tokenizer, cases));
    }
}

/// A vocabulary that does not name its pre-tokenizer is read as llama.cpp reads it (`tests/golden/default_pre.py`).
#[test]
fn a_pre_tokenizer_left_out() {
    let expected: Value = serde_json::from_str(include_str!("../tokenizers/default.json")).expect("JSON");
    assert!(expected["cases"].as_array().expect("cases").len() >= 44);
    let file = || Variant::of("../tokenizers/default.gguf");
    assert!(!file().metadata.contains_key("tokenizer.ggml.pre"));
    check_recorded("default.gguf", &own("default.gguf"), &expected["cases"]);
    // Some files say by name what the others mean.
    let named = from_gguf(file().set("tokenizer.ggml.pre", "default").bytes());
    check_recorded("default.gguf, named", &named, &expected["cases"]);
}

/// What `add_special` puts around a text, by what the file says or by the custom of its kind.
#[test]
fn beginnings_and_endings() {
    let grid: [(&str, &[u32], &[u32]); 7] = [
        ("bpe.gguf", &[0], &[]),
        ("bpe.json", &[0], &[]),
        ("spm.gguf", &[1], &[]),
        ("unigram.gguf", &[], &[1]),
        ("unigram.json", &[], &[1]),
        ("wordpiece.gguf", &[2], &[3]),
        ("wordpiece.json", &[2], &[3]),
    ];
    for (name, prefix, suffix) in grid {
        let tokenizer = own(name);
        let plain = tokenizer.encode("the king", false, false).expect("encodes");
        let whole = tokenizer.encode("the king", true, false).expect("encodes");
        assert_eq!(whole, [prefix, &plain, suffix].concat(), "{name}");
    }
}

/// What a GGUF file says of beginnings and endings, against what its kind does where the file is silent.
#[test]
fn files_decide_about_beginnings_and_endings() {
    const SAID: [Option<bool>; 3] = [None, Some(true), Some(false)];
    // The file, the ids and whether they are added by default, the key of the ending, a pre-tokenizer.
    let grid = [
        ("bpe.gguf", (0, true), (1, false), "add_eos_token", Some("llama-bpe")),
        ("bpe.gguf", (0, false), (1, false), "add_eos_token", Some("gpt-2")),
        ("spm.gguf", (1, true), (2, false), "add_eos_token", None),
        ("unigram.gguf", (0, false), (1, true), "add_eos_token", None),
        ("wordpiece.gguf", (2, true), (3, true), "add_sep_token", None),
    ];
    for (name, (bos, bos_usual), (eos, eos_usual), ending, pre) in grid {
        for (add_bos, add_eos) in SAID.into_iter().flat_map(|bos| SAID.map(|eos| (bos, eos))) {
            let mut file = Variant::of(&format!("../tokenizers/{name}"));
            for (key, said) in [("add_bos_token", add_bos), (ending, add_eos)] {
                let key = format!("tokenizer.ggml.{key}");
                file.metadata.remove(&key);
                if let Some(said) = said {
                    file = file.set(&key, said);
                }
            }
            if let Some(pre) = pre {
                file = file.set("tokenizer.ggml.pre", pre);
            }
            let tokenizer = from_gguf(file.set("tokenizer.ggml.bos_token_id", bos).bytes());
            let plain = tokenizer.encode("the king", false, false).expect("encodes");
            let mut want = plain.clone();
            if add_bos.unwrap_or(bos_usual) {
                want.insert(0, bos);
            }
            if add_eos.unwrap_or(eos_usual) {
                want.push(eos);
            }
            let got = tokenizer.encode("the king", true, false).expect("encodes");
            assert_eq!(got, want, "{name}, {pre:?}: add_bos {add_bos:?}, {ending} {add_eos:?}");
        }
    }
}

/// A visitor's words never become control tokens, whatever the model could make of them.
#[test]
fn words_are_never_control_tokens() {
    let files =
        ["bpe.gguf", "bpe.json", "spm.gguf", "spm-found.gguf", "unigram.gguf", "unigram.json", "wordpiece.gguf"];
    for name in files {
        let tokenizer = own(name);
        let is_control = |id: &u32| tokenizer.is_special(*id);
        let control: Vec<u32> = (0..tokenizer.vocab_size() as u32).filter(is_control).collect();
        assert!(!control.is_empty(), "{name}");
        let spelt: Vec<String> = control.iter().map(|id| tokenizer.decode(&[*id], false).expect("decodes")).collect();
        for text in [spelt.concat(), spelt.join(" "), format!("a{}b", spelt.join("c"))] {
            let ids = tokenizer.encode(&text, false, false).expect("encodes");
            let unknown = tokenizer.id("<unk>").or(tokenizer.id("[UNK]"));
            assert!(!ids.iter().any(|id| is_control(id) && Some(*id) != unknown), "{name}: {text:?} as {ids:?}");
            let parsed = tokenizer.encode(&text, false, true).expect("encodes");
            assert!(control.iter().all(|id| parsed.contains(id)), "{name}: {text:?} as {parsed:?}");
        }
    }
}

/// The same strings through `tokenizer.json` and through GGUF.
#[test]
fn json_and_gguf_agree() {
    let Some(json) = json("tokenizers/gpt2/tokenizer.json") else { return };
    check_suite("gpt-2", &json);
    let Some(gguf) = gguf("tokenizers/ggml-vocab-gpt-2.gguf") else { return };
    assert_eq!(json.vocab_size(), gguf.vocab_size());
    for id in 0..json.vocab_size() as u32 {
        assert_eq!(json.token_bytes(id), gguf.token_bytes(id), "token {id}");
    }
    assert_eq!((json.eos(), json.stop_ids()), (Some(50256), &[50256][..]));
    assert_eq!((gguf.eos(), gguf.stop_ids()), (Some(50256), &[50256][..]));
}

/// Vocabularies of the other families are built from their merges as the suites expect them: SmolLM2's `tokenizer.json`
/// against the crate that defines the format, over every text at hand.
#[test]
fn same_ids_as_the_tokenizers_crate() {
    let texts = ["text/tinyshakespeare.txt", "text/wikitext-2/valid.txt"].map(read);
    let suite: String = suite("gpt-2").unwrap_or_default().into_iter().map(|(text, _)| text + "\n").collect();
    let here = |name: &str| match name {
        "gpt2" | "smollm2" => read(&format!("tokenizers/{name}/tokenizer.json")),
        name => published(name),
    };
    for name in ["gpt2", "smollm2", "llama3", "qwen3"] {
        let Some(source) = here(name) else { continue };
        let ours = Tokenizer::from_json(&source, None, None, None).expect("a tokenizer");
        let theirs = tokenizers::Tokenizer::from_bytes(source).expect("a tokenizer");
        let odd = "<|im_start|>user\n\tif (x) {  y  }\r\n\r\n  <|endoftext|> é e\u{301} \u{a0}\u{3000}x 1234 ２３ ٣ ½ ﬁ 한국어";
        let texts = texts.iter().flatten().map(String::as_str).chain([odd, &suite]);
        for text in texts {
            let text = &text[..text.floor_char_boundary(400_000)];
            let want = theirs.encode_fast(text, true).expect("encodes");
            assert!(ours.encode(text, true, true).expect("encodes") == want.get_ids(), "{name}");
            let ids = want.get_ids();
            assert_eq!(ours.decode(ids, false).expect("decodes"), theirs.decode(ids, false).expect("decodes"));
            assert_eq!(ours.decode(ids, true).expect("decodes"), theirs.decode(ids, true).expect("decodes"));
        }
    }
}

/// The reference recorded for real weights: prompts with BOS, and greedy continuations as text.
#[test]
fn stories_reference() {
    let Some(tokenizer) = gguf("weights/stories260K/stories260K.gguf") else { return };
    let Some(expected) = read("weights/stories260K/expected.json") else { return };
    let expected: Value = serde_json::from_str(&expected).expect("JSON");
    let ids = |value: &Value| serde_json::from_value::<Vec<u32>>(value.clone()).expect("ids");
    for entry in expected.as_array().expect("a list") {
        let prompt = entry["prompt"].as_str().expect("a prompt");
        assert_eq!(tokenizer.encode(prompt, true, false).expect("encodes"), ids(&entry["ids"]), "{prompt:?}");
        assert_eq!(tokenizer.decode(&ids(&entry["ids"]), true).expect("decodes"), prompt);
        let mut stream = tokenizer.stream();
        let mut text = String::new();
        for id in ids(&entry["greedy_ids"]) {
            text.push_str(stream.push(id).expect("a token"));
        }
        text.push_str(stream.flush());
        assert_eq!(text, entry["greedy_text"].as_str().expect("a text"));
    }
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.stop_ids()), (Some(1), Some(2), &[2][..]));
}

/// One pre-tokenizer of each family.
const FAMILIES: [&str; 22] = [
    "gpt-2",
    "default",
    "smollm",
    "falcon",
    "llama-bpe",
    "qwen2",
    "qwen35",
    "tekken",
    "gpt-4o",
    "deepseek-llm",
    "deepseek-coder",
    "deepseek-v3",
    "kimi-k2",
    "bloom",
    "viking",
    "bailingmoe",
    "seed-coder",
    "exaone-moe",
    "youtu",
    "ufakzeka",
    "laguna",
    "minicpm5",
];

/// A merge about what is no token changes nothing.
#[test]
fn merges_of_a_pruned_vocabulary() {
    let tokens = ["a", "b", "c", "ab"].map(String::from);
    let ids = |merges: &[&str]| {
        let merges: Vec<String> = merges.iter().map(|merge| merge.to_string()).collect();
        let vocab = GgufVocab { model: "gpt2", tokens: &tokens, merges: Some(&merges), ..Default::default() };
        Tokenizer::from_vocab(&vocab).expect("a tokenizer").encode("abcab", false, false).expect("ids")
    };
    assert_eq!(ids(&["a b"]), [3, 2, 3]);
    assert_eq!(ids(&["b c", "d e", "a b", "ab c"]), [3, 2, 3]);
}

/// A byte-level vocabulary of the bytes and a few merges, which needs no file.
fn small_byte_level(pre: &str) -> Tokenizer {
    let mut tokens: Vec<String> = byte_alphabet().map(String::from).collect();
    let merges = ["Ġ t", "h e", "Ġt he", "i n", "Ã ©", "ð Ł", "1 2", "12 3"];
    tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
    tokens.extend(["<|end|>", "<tool>"].map(String::from));
    let mut types = vec![1; tokens.len()];
    types[264..].copy_from_slice(&[3, 4]);
    let merges = merges.map(String::from);
    let vocab = GgufVocab {
        model: "gpt2",
        pre: Some(pre),
        tokens: &tokens,
        token_types: Some(&types),
        merges: Some(&merges),
        eos: Some(264),
        ..Default::default()
    };
    Tokenizer::from_vocab(&vocab).expect("a tokenizer")
}

/// GPT-2's characters for the 256 bytes.
fn byte_alphabet() -> impl Iterator<Item = char> {
    let printable = |b: &u32| matches!(b, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 0xFF;
    (0..256).map(move |byte| {
        next += u32::from(!printable(&byte));
        char::from_u32(if printable(&byte) { byte } else { next }).expect("a character")
    })
}

/// A SentencePiece vocabulary with byte fallback and a few scored pieces.
fn small_sentencepiece(add_space_prefix: bool) -> Tokenizer {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).into();
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(["▁", "a", "b", "▁a", "ab", "▁ab", "▁▁", "▁▁▁▁", "é", "aa"].map(String::from));
    let mut types = vec![1; tokens.len()];
    types[..3].copy_from_slice(&[2, 3, 3]);
    types[3..259].fill(6);
    let scores: Vec<f32> = (0..tokens.len()).map(|id| -(id as f32)).collect();
    let vocab = GgufVocab {
        model: "llama",
        tokens: &tokens,
        scores: Some(&scores),
        token_types: Some(&types),
        bos: Some(1),
        eos: Some(2),
        unk: Some(0),
        add_space_prefix: Some(add_space_prefix),
        ..Default::default()
    };
    Tokenizer::from_vocab(&vocab).expect("a tokenizer")
}

/// Tokens that a file calls text though they can be nothing but control tokens are left out of what is shown.
#[test]
fn control_tokens_that_a_file_calls_text() {
    let control =
        ["<start_of_image>", "<image_soft_token>", "<unused7>", "<|im_end|>", "<|image|>", "<mask>", "<end_of_turn>"];
    let plain = ["<tool>", "<table>", "<|a", "<unused>more", "|>"];
    let mut tokens: Vec<String> = byte_alphabet().map(String::from).collect();
    tokens.extend(control.iter().chain(&plain).map(|token| token.to_string()));
    let mut types = vec![1; tokens.len()];
    types[256..].fill(4);
    types[256] = 1;
    let vocab = GgufVocab {
        model: "gpt2",
        pre: Some("gpt-2"),
        tokens: &tokens,
        token_types: Some(&types),
        merges: Some(&[]),
        ..Default::default()
    };
    let tokenizer = Tokenizer::from_vocab(&vocab).expect("a tokenizer");
    let ids: Vec<u32> = (256..tokens.len() as u32).collect();
    assert_eq!(tokenizer.decode(&ids, true).expect("text"), plain.concat());
    assert_eq!(tokenizer.decode(&ids, false).expect("text"), control.concat() + &plain.concat());
}

#[test]
fn scored_merges() {
    let tokenizer = small_sentencepiece(true);
    let text = |ids: Vec<u32>| -> Vec<String> {
        let bytes = ids.iter().map(|id| tokenizer.token_bytes(*id).expect("a token"));
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    };
    let encode = |s: &str| tokenizer.encode(s, false, false).expect("encodes");
    // " ab": of "▁a" (the better score) and "ab" the former joins first, and then nothing but "▁ab".
    assert_eq!(text(encode("ab")), [" ab"]);
    // Equal pairs join from the left: aa|a, not a|aa.
    assert_eq!(text(encode("xaaa")), [" ", "x", "aa", "a"]);
    // No token for "ß": its bytes.
    assert_eq!(encode("ß"), [259, 3 + 0xC3, 3 + 0x9F]);
    assert_eq!(tokenizer.encode("", true, false).expect("encodes"), [1]);
    // The space in front stays even before a space.
    assert_eq!(text(encode(" a")), [" ", " a"]);
}

#[test]
fn special_tokens_in_text() {
    let tokenizer = small_byte_level("gpt-2");
    let text = "the<|end|> the<tool>";
    let parsed = tokenizer.encode(text, false, true).expect("encodes");
    assert_eq!(parsed, [u32::from(b't'), 257, 264, 258, 265]);
    let literal = tokenizer.encode(text, false, false).expect("encodes");
    assert!(!literal.contains(&264) && literal.contains(&265), "a visitor's text must not hold control tokens");
    assert_eq!(tokenizer.decode(&parsed, true).expect("decodes"), "the the<tool>");
    assert_eq!(tokenizer.decode(&parsed, false).expect("decodes"), text);
    assert_eq!(tokenizer.stop_ids(), [264]);
    assert!(tokenizer.is_special(264) && !tokenizer.is_special(265));
    assert_eq!((tokenizer.id("Ġthe"), tokenizer.id("the")), (Some(258), None));
}

/// A vocabulary of words, some of them control tokens, with a byte-level alphabet beside.
fn with_tokens(name: Option<&str>, pre: &str, more: &[(&str, i32)]) -> Tokenizer {
    let mut tokens: Vec<String> = byte_alphabet().map(String::from).collect();
    tokens.extend(more.iter().map(|(token, _)| (*token).to_owned()));
    let types: Vec<i32> = [1; 256].into_iter().chain(more.iter().map(|(_, kind)| *kind)).collect();
    let tokens = GgufVocab {
        name,
        model: "gpt2",
        pre: Some(pre),
        tokens: &tokens,
        token_types: Some(&types),
        merges: Some(&[]),
        ..Default::default()
    };
    Tokenizer::from_vocab(&tokens).expect("a tokenizer")
}

#[test]
fn known_markers_end_a_generation() {
    let stops = |more: &[(&str, i32)]| with_tokens(None, "gpt-2", more).stop_ids().to_vec();
    assert_eq!(stops(&[("<|im_end|>", 3), ("<|end_of_text|>", 3), ("<|other|>", 3)]), [256, 257]);
    // Some files declare them as words. `</s>` may be one: it is HTML.
    assert_eq!(stops(&[("<|eot_id|>", 1), ("<end_of_turn>", 4), ("</s>", 1), ("</s>", 4)]), [256, 257]);
    assert_eq!(stops(&[("</s>", 3), ("<|end|>", 3)]), [256, 257]);
    // Where messages have parts, the end of a part ends nothing.
    assert_eq!(stops(&[("<|return|>", 3), ("<|call|>", 3), ("<|end|>", 3)]), [256, 257]);
    let words = with_tokens(None, "gpt-2", &[("<|eot_id|>", 1)]);
    assert!(words.is_special(256));
    assert_eq!(words.encode("<|eot_id|>", false, true).expect("encodes"), [256]);
}

/// Files don't say which tokens take white space along: Phi-3's control tokens do, and Jina's mask.
#[test]
fn white_space_around_control_tokens() {
    let more = [("<|user|>", 3), ("<|endoftext|>", 3), ("<mask>", 3)];
    let grid: [(Option<&str>, &str, &str, &[u32]); 5] = [
        (None, "gpt-2", "<|user|> \n<|endoftext|> ", &[256, 32, 10, 257, 32]),
        (Some("Phi-3 Mini"), "gpt-2", "<|user|> \n<|endoftext|> ", &[256, 257, 32]),
        (Some("phi3"), "gpt-2", " <|user|>  ", &[32, 256]),
        (None, "jina-v2-code", " <mask> ", &[258, 32]),
        (None, "gpt-2", " <mask> ", &[32, 258, 32]),
    ];
    for (name, pre, text, want) in grid {
        assert_eq!(
            with_tokens(name, pre, &more).encode(text, false, true).expect("encodes"),
            want,
            "{name:?} {text:?}"
        );
    }
}

/// A file that says it has no tokenizer has none: it takes ids.
#[test]
fn no_tokenizer_is_no_error() {
    let string = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let counts = [0u64, 1].map(u64::to_le_bytes).concat();
    let entry = [string("tokenizer.ggml.model"), 8u32.to_le_bytes().to_vec(), string("none")].concat();
    let bytes = [b"GGUF".as_slice(), &3u32.to_le_bytes(), &counts, &entry, &[0; 64]].concat();
    let files = Files::single(MemorySource::new("test.gguf", bytes));
    let checkpoint = pollster::block_on(Checkpoint::open(files)).expect("a GGUF file");
    assert!(Tokenizer::from_checkpoint(&checkpoint).expect("no error").is_none());
}

/// Quoted control tokens are text like any other, wherever they stand; tokens that are none stay tokens.
#[test]
fn quoted_control_tokens_are_text() {
    for tokenizer in FAMILIES.map(small_byte_level).iter().chain(&[true, false].map(small_sentencepiece)) {
        let control = (0..tokenizer.vocab_size() as u32).find(|id| tokenizer.is_special(*id)).expect("a control token");
        let control = String::from_utf8(tokenizer.token_bytes(control).expect("bytes")).expect("text");
        for text in [control.clone(), format!("the{control}{control}in <"), format!(" {control} é\n{control}")] {
            let quoted = tokenizer.quoted(&text).expect("quotes");
            assert_eq!(Tokenizer::unquoted(&quoted), text);
            let ids = tokenizer.encode(&quoted, false, true).expect("encodes");
            assert_eq!(ids, tokenizer.encode(&text, false, false).expect("encodes"), "{text:?}");
            assert!(!ids.iter().any(|id| tokenizer.is_special(*id)), "{text:?}: {ids:?}");
            assert_eq!(tokenizer.quoted(&quoted), None);
        }
        assert_eq!(tokenizer.quoted("the < in |>"), None);
    }
}

/// As the tokenizers crate and llama.cpp do: SmolLM2's vocabulary lacks six control characters.
#[test]
fn bytes_that_have_no_token_are_dropped() {
    let tokens: Vec<String> = byte_alphabet().filter(|c| !"wÃ".contains(*c)).map(String::from).collect();
    let vocab =
        GgufVocab { model: "gpt2", pre: Some("gpt-2"), tokens: &tokens, merges: Some(&[]), ..Default::default() };
    let tokenizer = Tokenizer::from_vocab(&vocab).expect("a tokenizer");
    let encode = |text: &str| tokenizer.encode(text, false, false).expect("encodes");
    assert_eq!(encode("hello world"), encode("hello orld"));
    assert_eq!(encode("hello").len(), 5);
    assert!(encode("w").is_empty());
}

/// What transformers adds from tokenizer_config.json to a tokenizer.json that lacks it.
#[test]
fn tokens_of_the_configuration_are_added() {
    let file = json!({ "added_tokens": [{ "id": 3, "content": "<s>", "special": true }], "model": { "type": "BPE", "merges": [],
        "vocab": { "a": 0, "b": 1, " ": 2, "c": 4 } }, "pre_tokenizer": null, "decoder": null });
    let token = |content: &str| json!({ "content": content, "special": true, "lstrip": content == "<l>", "rstrip": content == "<r>" });
    let config = json!({ "eos_token": "<e>", "added_tokens_decoder": { "3": token("<s>"), "7": token("<l>"), "8": token("<r>"),
        "2": token("<taken>"), "6": token("c"), "9": { "content": "ab", "special": false }, "11": token("<e>"), "x": token("<x>") } });
    let tokenizer = Tokenizer::from_json(&file.to_string(), Some(&config), None, None).expect("a tokenizer");
    let encode = |text: &str| tokenizer.encode(text, false, true).expect("encodes");
    assert_eq!(encode("a <l>b"), [0, 7, 1]);
    assert_eq!(encode("a<r> b"), [0, 8, 1]);
    assert_eq!(encode("ab a<s>c"), [9, 2, 0, 3, 4]);
    assert_eq!(tokenizer.id("<taken>"), Some(5));
    assert_eq!((tokenizer.eos(), tokenizer.stop_ids()), (Some(11), &[11][..]));
    assert!(tokenizer.is_special(11) && tokenizer.is_special(4) && !tokenizer.is_special(9));
    // In a visitor's words they are text.
    assert!(tokenizer.encode("<s>", false, false).expect("encodes").is_empty());
}

/// So are the special tokens that it only names, unless the vocabulary has them.
#[test]
fn named_special_tokens_are_added() {
    let file = json!({ "added_tokens": [{ "id": 3, "content": "<s>", "special": true }],
        "model": { "type": "BPE", "merges": [], "vocab": { "a": 0, "b": 1, " ": 2, "<e>": 4 } } });
    let config = json!({ "bos_token": "<s>", "eos_token": { "content": "<e>", "lstrip": true }, "mask_token": null, "sep_token": 7,
        "additional_special_tokens": ["<u>", "<v>", "", { "content": "<u>" }], "extra_special_tokens": { "image": "<i>" } });
    let tokenizer = Tokenizer::from_json(&file.to_string(), Some(&config), None, None).expect("a tokenizer");
    let encode = |text: &str| tokenizer.encode(text, false, true).expect("encodes");
    assert_eq!(encode("<s>a <e><v>b<u><i>"), [3, 0, 4, 6, 1, 5, 7]);
    assert!((3..8).all(|id| tokenizer.is_special(id)));
}

/// An end that the vocabulary lacks ends a generation all the same: the model may have a row for it.
#[test]
fn ends_outside_the_vocabulary_are_ends() {
    let file = json!({ "model": { "type": "BPE", "merges": [], "vocab": { "a": 0, "b": 1 } } }).to_string();
    let tokenizer = Tokenizer::from_json(
        &file,
        None,
        Some(&json!({ "eos_token_id": 5 })),
        Some(&json!({ "eos_token_id": [1, 7] })),
    );
    let tokenizer = tokenizer.expect("a tokenizer");
    assert_eq!((tokenizer.stop_ids(), tokenizer.eos()), (&[1, 5, 7][..], None));
}

#[test]
fn unknown_ids_are_refused() {
    let tokenizer = small_byte_level("gpt-2");
    for ids in [&[266][..], &[0, u32::MAX]] {
        assert_eq!(tokenizer.decode(ids, true).expect_err("no such token").code(), "INVALID_REQUEST");
    }
    let mut stream = tokenizer.stream();
    assert!(stream.push(999).is_err());
    assert_eq!(stream.push(258).expect("a token"), " the");
    assert_eq!(tokenizer.token_bytes(266), None);
}

#[test]
fn a_dangling_character_ends_as_a_replacement() {
    let tokenizer = small_byte_level("gpt-2");
    let mut stream = tokenizer.stream();
    for byte in &"😀".as_bytes()[..3] {
        assert_eq!(stream.push(u32::from(*byte)).expect("a token"), "");
    }
    assert_eq!(stream.flush(), "\u{FFFD}");
    assert_eq!(stream.flush(), "");
}

#[test]
fn json_beginnings_and_endings() {
    let mut file = json!({
        "version": "1.0",
        "added_tokens": [
            {"id": 5, "content": "<s>", "special": true}, {"id": 6, "content": "</s>", "special": true},
            {"id": 7, "content": "<|im_end|>", "special": true}
        ],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
        ]},
        "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
        ], "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}
        ]},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
            "vocab": {"<unk>": 0, "▁": 1, "a": 2, "▁a": 3, "b": 4}, "merges": ["▁ a"]}
    });
    let config =
        json!({"bos_token": "<s>", "eos_token": {"content": "</s>", "__type": "AddedToken"}, "add_bos_token": true});
    let generation = json!({"eos_token_id": [6, 4, 99]});
    let tokenizer =
        |file: &Value, config: &Value| Tokenizer::from_json(&file.to_string(), Some(config), None, Some(&generation));
    let loaded = tokenizer(&file, &config).expect("a tokenizer");
    assert_eq!(loaded.encode("a b", true, false).expect("encodes"), [5, 3, 1, 4]);
    assert_eq!(loaded.encode("xyz", false, false).expect("encodes"), [1, 0], "unknown characters are one token");
    assert_eq!(loaded.decode(&[5, 3, 1, 4], true).expect("decodes"), "a b");
    assert_eq!((loaded.bos(), loaded.eos()), (Some(5), Some(6)));
    assert_eq!(loaded.stop_ids(), [4, 6, 7, 99], "named ids, also one that no token has, and known names");
    let without = json!({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": false, "add_eos_token": true});
    let loaded = tokenizer(&file, &without).expect("a tokenizer");
    assert_eq!(loaded.encode("a", true, false).expect("encodes"), [3, 6]);

    // What the file claims is checked.
    let refused: [(&str, Value, &str); 18] = [
        ("/model/merges", json!(["▁ q"]), "MODEL_FORMAT"),
        ("/model/merges", json!([["a"]]), "MODEL_FORMAT"),
        ("/model/vocab/a", json!(0), "MODEL_FORMAT"),
        ("/model/vocab/a", json!(4_000_000_000u32), "MODEL_FORMAT"),
        ("/model/vocab/a", json!(-1), "MODEL_FORMAT"),
        ("/model/unk_token", json!("nothing"), "MODEL_FORMAT"),
        ("/model/type", json!("Unigram"), "MODEL_FORMAT"),
        ("/model/type", json!("Neural"), "MODEL_UNSUPPORTED"),
        ("/model/vocab", json!([["a", 0.0]]), "MODEL_FORMAT"),
        ("/normalizer/normalizers/0/type", json!("Precompiled"), "MODEL_FORMAT"),
        ("/normalizer/normalizers/0/type", json!("Rot13"), "MODEL_UNSUPPORTED"),
        ("/pre_tokenizer", json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}), "MODEL_FORMAT"),
        ("/normalizer/normalizers/1/pattern", json!({"String": ""}), "MODEL_UNSUPPORTED"),
        ("/normalizer/normalizers/1/pattern", json!({"Regex": r"\b\d*"}), "MODEL_UNSUPPORTED"),
        ("/normalizer/normalizers/1/pattern", json!({"Regex": " ?+"}), "MODEL_UNSUPPORTED"),
        ("/normalizer/normalizers/1/pattern", json!({"Regex": "(?=a)"}), "MODEL_FORMAT"),
        ("/decoder/decoders/3/start", json!(2), "MODEL_UNSUPPORTED"),
        ("/post_processor/single/0/SpecialToken/id", json!("<x>"), "MODEL_FORMAT"),
    ];
    for (path, value, code) in refused {
        let good = file.pointer(path).expect("a place in the file").clone();
        *file.pointer_mut(path).expect("a place in the file") = value.clone();
        let error = tokenizer(&file, &config).err().unwrap_or_else(|| panic!("{path} = {value} was accepted"));
        assert_eq!(error.code(), code, "{path} = {value}: {error}");
        *file.pointer_mut(path).expect("a place in the file") = good;
    }
}

#[test]
fn gguf_claims_are_checked() {
    let tokens: Vec<String> = byte_alphabet().map(String::from).collect();
    let merges = ["ab".to_owned()];
    let good = GgufVocab { model: "gpt2", tokens: &tokens, merges: Some(&[]), ..Default::default() };
    assert!(Tokenizer::from_vocab(&good).is_ok());
    let nan = vec![f32::NAN; tokens.len()];
    let zero = vec![0.0; tokens.len()];
    let refused = [
        (GgufVocab { tokens: &[], ..good }, "MODEL_FORMAT"),
        (GgufVocab { merges: None, ..good }, "MODEL_FORMAT"),
        (GgufVocab { merges: Some(&merges), ..good }, "MODEL_FORMAT"),
        (GgufVocab { token_types: Some(&[1, 1]), ..good }, "MODEL_FORMAT"),
        (GgufVocab { scores: Some(&[1.0]), ..good }, "MODEL_FORMAT"),
        (GgufVocab { model: "llama", ..good }, "MODEL_FORMAT"),
        (GgufVocab { model: "llama", scores: Some(&nan), ..good }, "MODEL_FORMAT"),
        (GgufVocab { model: "bert", ..good }, "MODEL_FORMAT"),
        (GgufVocab { model: "t5", ..good }, "MODEL_FORMAT"),
        (GgufVocab { model: "t5", scores: Some(&nan), ..good }, "MODEL_FORMAT"),
        (GgufVocab { model: "t5", scores: Some(&zero), precompiled_charsmap: Some(&[8; 99]), ..good }, "MODEL_FORMAT"),
        (GgufVocab { model: "rwkv", ..good }, "MODEL_UNSUPPORTED"),
        (GgufVocab { pre: Some("of-tomorrow"), ..good }, "MODEL_UNSUPPORTED"),
    ];
    for (vocab, code) in refused {
        let error = Tokenizer::from_vocab(&vocab).err().expect("refused");
        assert_eq!(error.code(), code, "{error}");
    }
    for (vocab, named) in [
        (GgufVocab { pre: Some("of-tomorrow"), ..good }, ["`of-tomorrow`", "qwen2"]),
        (GgufVocab { model: "rwkv", ..good }, ["`rwkv`", "gpt2"]),
    ] {
        let error = Tokenizer::from_vocab(&vocab).err().expect("refused").to_string();
        assert!(named.iter().all(|name| error.contains(name)), "{error}");
    }
    // An id past the end is as good as none, as in llama.cpp, and so is a sentinel.
    let past = Tokenizer::from_vocab(&GgufVocab { bos: Some(256), ..good }).expect("a tokenizer");
    assert_eq!(past.bos(), None);
    let none = Tokenizer::from_vocab(&GgufVocab { eos: Some(u32::MAX), ..good }).expect("a tokenizer");
    assert_eq!(none.eos(), None);
}

/// A space may belong to the token before it and to the one after it, and a word may be one or a part of one.
fn stripping() -> Tokenizer {
    let token = |id: u32, content: &str, strip: bool, word: bool| json!({"id": id, "content": content, "special": true, "lstrip": strip, "rstrip": strip, "single_word": word});
    let added = [token(2, "<m>", true, false), token(3, "of", false, true), token(4, "  ", true, false)];
    let file = json!({"added_tokens": added, "model": {"type": "BPE", "unk_token": "?", "fuse_unk": true,
        "vocab": {"?": 0, "a": 1}, "merges": []}});
    Tokenizer::from_json(&file.to_string(), None, None, None).expect("a tokenizer")
}

#[test]
fn spaces_belong_to_one_token() {
    let tokenizer = stripping();
    let grid: [(&str, &[u32]); 4] =
        [("a <m> a", &[1, 2, 1]), ("<m> <m>", &[2, 2]), ("of a of", &[3, 0, 1, 0, 3]), ("off ofa", &[0, 1])];
    for (text, want) in grid {
        assert_eq!(tokenizer.encode(text, false, true).expect("encodes"), want, "{text:?}");
    }
}

/// Text that a pattern, a merge loop or a list of special tokens might take quadratic time on.
#[test]
fn long_text_takes_linear_time() {
    let long = [" ", "a", "1"].map(|unit| unit.repeat(1 << 19));
    let units = ["\n", "é", "'", "▁", "<|end|>", "ab", " \n", "😀", "<m> ", " of", "of", " <m>a"];
    let mut texts: Vec<String> = long.into_iter().chain(units.map(|unit| unit.repeat(100_000 / unit.len()))).collect();
    texts.extend(read("text/war-and-peace.txt").map(|text| text.chars().take(500_000).collect()));
    let tokenizers = ["gpt-2", "default", "smollm", "qwen2", "llama-bpe"].map(small_byte_level);
    let others = [small_sentencepiece(true), small_sentencepiece(false), stripping(), own("unigram.json")];
    let real = ["gpt-2", "llama-spm"].map(|name| gguf(&format!("tokenizers/ggml-vocab-{name}.gguf")));
    for tokenizer in tokenizers.iter().chain(&others).chain(real.iter().flatten()) {
        for text in &texts {
            let start = Instant::now();
            let ids = tokenizer.encode(text, false, true).expect("encodes");
            let encoded = start.elapsed();
            tokenizer.decode(&ids, true).expect("decodes");
            let limit = Duration::from_secs(20); // generous: a quadratic step takes minutes
            assert!(start.elapsed() < limit, "{:?}: {encoded:?} for {:?}…", tokenizer.info(), &text[..20]);
        }
    }
}

fn check_round_trip(tokenizer: &Tokenizer, text: &str) {
    let ids = tokenizer.encode(text, false, false).expect("encodes");
    assert_eq!(tokenizer.decode(&ids, false).expect("decodes"), text, "{ids:?}");
}

/// Pieces of a stream over any ids are the whole decoded text, and each piece is whole characters.
fn check_stream(tokenizer: &Tokenizer, ids: &[u32]) {
    let whole: Vec<u8> = ids.iter().flat_map(|id| tokenizer.token_bytes(*id).expect("a token")).collect();
    let whole = String::from_utf8_lossy(&whole).into_owned();
    let mut stream = tokenizer.stream().with_special();
    let mut text = String::new();
    for id in ids {
        text.push_str(stream.push(*id).expect("a token"));
        assert!(whole.starts_with(&text), "{text:?} is no beginning of {whole:?}");
    }
    text.push_str(stream.flush());
    assert_eq!(text, whole);
    let decoded = tokenizer.decode(ids, false).expect("decodes");
    assert!(decoded == whole || format!(" {decoded}") == whole, "{decoded:?}, {whole:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_text_comes_back(text in any::<String>(), spaces in "[ \\n\\taé1'😀]{0,40}") {
        static OF_FAMILIES: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| FAMILIES.map(small_byte_level).into());
        for tokenizer in OF_FAMILIES.iter() {
            check_round_trip(tokenizer, &text);
            check_round_trip(tokenizer, &spaces);
        }
        for add_space_prefix in [true, false] {
            let tokenizer = small_sentencepiece(add_space_prefix);
            // SentencePiece's own mark for a space is the one character it cannot hold.
            check_round_trip(&tokenizer, &text.replace('▁', "_"));
            check_round_trip(&tokenizer, &spaces);
        }
    }

    #[test]
    fn any_ids_stream_as_they_decode(ids in prop::collection::vec(0u32..266, 0..60)) {
        check_stream(&small_byte_level("gpt-2"), &ids);
        check_stream(&small_sentencepiece(true), &ids);
    }
}
