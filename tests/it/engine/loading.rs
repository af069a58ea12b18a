//! How a file is read: found whole first, then from its beginning to its end, while the device compiles.

use super::*;
use cresset::weights::{Checkpoint, Files, LocalBoxFuture, MemorySource, Source};
use std::cell::RefCell;
use std::rc::Rc;

on_both_devices! {
    weights_come_in_the_files_own_order,
    what_is_not_whole_is_not_read,
}

/// Bytes that remember where they were read from.
struct Watched {
    bytes: MemorySource,
    reads: Rc<RefCell<Vec<u64>>>,
}

impl Source for Watched {
    fn name(&self) -> &str {
        self.bytes.name()
    }

    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read<'a>(&'a self, offset: u64, len: usize) -> LocalBoxFuture<'a, cresset::Result<Vec<u8>>> {
        self.reads.borrow_mut().push(offset);
        self.bytes.read(offset, len)
    }
}

fn watched(bytes: Vec<u8>) -> (Files, Rc<RefCell<Vec<u64>>>) {
    let reads = Rc::default();
    let bytes = MemorySource::new("watched.gguf", bytes);
    (Files::single(Watched { bytes, reads: Rc::clone(&reads) }), reads)
}

/// A file that is still on its way is so read as it comes. Parts of one tensor may be read one after the other.
fn weights_come_in_the_files_own_order(case: Case) {
    for folder in ["llama-gqa", "gpt2-small", "gpt-neox", "phi3", "qwen3-moe"] {
        let variant = Variant::of(&format!("{folder}/f32.gguf"));
        let (files, reads) = watched(variant.bytes());
        let checkpoint = block_on(Checkpoint::open(files)).expect("a file");
        let headers = reads.borrow().len();
        let mut tensors: Vec<u64> = checkpoint.tensors().map(|tensor| tensor.offset).collect();
        tensors.sort_unstable();
        let options = LoadOptions { device: case, kv: KvFormat::F32, ..LoadOptions::default() };
        block_on(Engine::load(checkpoint, &options, &mut |_| ())).expect("an engine");
        let read: Vec<usize> =
            reads.borrow()[headers..].iter().map(|first| tensors.partition_point(|offset| offset <= first)).collect();
        assert!(read.is_sorted(), "{folder}: {read:?}");
        assert_eq!((read.first(), read.last()), (Some(&1), Some(&tensors.len())), "{folder}");
    }
}

fn what_is_not_whole_is_not_read(case: Case) {
    let (files, reads) = watched(model().without_tensor("output_norm.weight").bytes());
    let checkpoint = block_on(Checkpoint::open(files)).expect("a file");
    let headers = reads.borrow().len();
    let options = LoadOptions { device: case, ..LoadOptions::default() };
    let error = block_on(Engine::load(checkpoint, &options, &mut |_| ())).map(|_| ()).expect_err("a tensor is missing");
    assert!(error.to_string().contains("output_norm.weight"), "{error}");
    assert_eq!(reads.borrow().len(), headers);
}
