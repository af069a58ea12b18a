//! whisper.cpp's files (`tests/golden/whisper_cpp.py`): what the hub has of the same model, and a grid of broken ones.

use super::{open, open_all, refused};
use cresset::tokenizer::Tokenizer;
use cresset::weights::{Checkpoint, FileFormat, open_path};
use pollster::block_on;

const FILE: &str = "ggml-whisper.bin";
/// Where the number of bands stands, that of tokens, the first token's length, and the first tensor's header.
const BANDS: usize = 48;
const TOKENS: usize = BANDS + 8 + 4 * 80 * 201;
const FIRST: usize = TOKENS + 4;
/// Behind 30 tokens of one byte.
const TENSOR: usize = FIRST + 30 * 5;

fn file() -> Vec<u8> {
    std::fs::read(format!("tests/golden/speech/{FILE}")).expect("a file")
}

/// The file with a number in place of another.
fn with(at: usize, number: u32) -> Vec<u8> {
    let mut bytes = file();
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[test]
fn it_is_opened_as_the_hubs_files() {
    let ours = open(FILE, file()).expect("a model");
    let path = "tests/golden/speech/whisper/model.safetensors";
    let hub = block_on(Checkpoint::open(open_path(path).expect("a path"))).expect("a model");
    assert_eq!(ours.file_format(), FileFormat::WhisperCpp);
    let shapes = |model: &Checkpoint| {
        let mut all: Vec<_> = model.tensors().map(|it| (it.name.clone(), it.shape.clone())).collect();
        all.retain(|(name, _)| name != "proj_out.weight");
        all.sort();
        all
    };
    assert_eq!(shapes(&ours), shapes(&hub));
    let name = "model.decoder.layers.1.encoder_attn.k_proj.weight";
    let bytes = |model: &Checkpoint| block_on(model.read_all(model.tensor(name).expect(name)));
    assert_eq!(bytes(&ours).expect("bytes"), bytes(&hub).expect("bytes"));
    for key in ["d_model", "encoder_ffn_dim", "decoder_ffn_dim", "max_source_positions", "num_mel_bins", "vocab_size"] {
        let said = [&ours, &hub].map(|model| model.config().expect("config.json")[key].clone());
        assert_eq!(said[0], said[1], "{key}");
    }
    for key in ["eos_token_id", "decoder_start_token_id", "no_timestamps_token_id", "prev_sot_token_id", "task_to_id"] {
        let said = [&ours, &hub].map(|model| model.generation_config().expect("generation_config.json")[key].clone());
        assert_eq!(said[0], said[1], "{key}");
    }
    let ids = [&ours, &hub].map(|model| {
        let tokenizer = Tokenizer::from_checkpoint(model).expect("a vocabulary").expect("there is one");
        tokenizer.encode(" say it, isn't it.", false, false).expect("ids")
    });
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn broken_ones_are_refused_by_name() {
    let whole = file();
    let mut twice = whole.clone();
    twice[FIRST + 9] = twice[FIRST + 4];
    let mut nameless = whole.clone();
    nameless.extend([9, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
    for (bytes, piece) in [
        (whole[..30].to_vec(), "GGML file from before GGUF"),
        (with(BANDS + 4, 200), "GGML file from before GGUF"),
        (whole[..TOKENS].to_vec(), "it ends in the vocabulary"),
        (whole[..TOKENS - 1].to_vec(), "it ends in the filter bank"),
        (whole[..whole.len() - 1].to_vec(), "it ends in a tensor's header"),
        (with(TOKENS, u32::MAX), "absurd"),
        (with(TOKENS, 100_000), "it ends in the vocabulary"),
        (with(FIRST, 5000), "token 0 claims 5000 bytes"),
        (with(4, 30), "30 tokens of text, 30 differ, for a vocabulary of 30"),
        (with(12, 48), "the encoder has 48 columns, but the decoder 32"),
        (twice, "of 30 tokens of text, 29 differ"),
        (nameless, "9 dimensions"),
    ] {
        refused(open(FILE, bytes), "MODEL_FORMAT", piece);
    }
    refused(open_all([(FILE, file()), ("ggml-other.bin", file())]), "INVALID_REQUEST", "several models");
    refused(open(FILE, with(TENSOR + 8, 99)), "MODEL_UNSUPPORTED", "ggml type 99");
}
