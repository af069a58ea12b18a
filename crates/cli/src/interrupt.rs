//! Ctrl-C. Before [`listen`] it ends the program, as everywhere; then it ends the answer that is being written, and the program
//! when it is pressed again. After [`removes`] it leaves no half of a file.

use crate::output::{PROMPT, ask, say};
use cresset::device::YieldNow;
use cresset::engine::{Engine, never_yield};
use cresset::error::{Error, Result};
use std::fs;
use std::io::{IsTerminal, stdin};
use std::path::Path;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// The exit status of a program that Ctrl-C ended: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// An answer is being written.
static ANSWERING: AtomicBool = AtomicBool::new(false);
/// Ctrl-C was pressed since the answer began, or since the last line was read.
static PRESSED: AtomicBool = AtomicBool::new(false);

/// From now on a first Ctrl-C leaves the program running.
///
/// # Errors
/// `INTERNAL` if the system refuses.
pub fn listen() -> Result<()> {
    let interactive = stdin().is_terminal();
    let set = ctrlc::set_handler(move || match press(interactive) {
        Press::EndsAnswer => {}
        Press::Warns => {
            say("\nCtrl-C again, Ctrl-D or /exit ends the conversation.");
            ask(PROMPT);
        }
        Press::EndsProgram => leave(),
    });
    set.map_err(refused)
}

/// From now on Ctrl-C removes a file that is half written before it ends the program.
///
/// # Errors
/// `INTERNAL` if the system refuses.
pub fn removes(path: &Path) -> Result<()> {
    let path = path.to_owned();
    let set = ctrlc::set_handler(move || {
        let _ = fs::remove_file(&path); // it may have its name already
        leave()
    });
    set.map_err(refused)
}

fn refused(error: ctrlc::Error) -> Error {
    Error::Internal(format!("Ctrl-C cannot be listened to: {error}"))
}

/// The effect of pressing Ctrl-C.
#[derive(Debug, PartialEq)]
enum Press {
    EndsAnswer,
    Warns,
    EndsProgram,
}

fn press(interactive: bool) -> Press {
    match (PRESSED.swap(true, SeqCst), ANSWERING.load(SeqCst)) {
        (false, true) => Press::EndsAnswer,
        (false, false) if interactive => Press::Warns,
        _ => Press::EndsProgram,
    }
}

/// A line was read: the next Ctrl-C is the first one.
pub fn forget() {
    PRESSED.store(false, SeqCst);
}

/// Whether Ctrl-C was pressed since the answer began.
pub fn pressed() -> bool {
    PRESSED.load(SeqCst)
}

/// Ends the program as Ctrl-C does.
pub fn leave() -> ! {
    exit(INTERRUPTED)
}

/// Gives what `answer` gives, which hands the engine this pause: in it, Ctrl-C ends the request.
pub fn while_answering<T>(engine: &mut Engine, answer: impl FnOnce(&mut Engine, &YieldNow) -> T) -> T {
    let stop = engine.interrupt_handle();
    let pause = move || {
        if pressed() {
            stop.set(true);
        }
        never_yield()
    };
    forget();
    ANSWERING.store(true, SeqCst);
    let answer = answer(engine, &pause);
    ANSWERING.store(false, SeqCst);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::checkpoint;
    use cresset::engine::LoadOptions;
    use pollster::block_on;
    use serde_json::json;

    #[test]
    fn a_press_ends_the_answer_and_the_next_one_the_program() {
        assert_eq!(press(false), Press::EndsProgram);
        forget();
        assert_eq!([press(true), press(true)], [Press::Warns, Press::EndsProgram]);

        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/llama-gqa/f32.gguf");
        let options = LoadOptions::parse(&json!({ "device": "cpu" })).expect("options");
        let model = checkpoint(&path).expect("a model");
        let mut engine = block_on(Engine::load(model, &options, &mut |_| ())).expect("an engine");
        let request = json!({ "prompt": "the hen", "max_tokens": 99, "ignore_eos": true, "stream": true });
        let mut last = json!(null);
        let mut on_chunk = |chunk: serde_json::Value| {
            if !pressed() {
                assert_eq!(press(true), Press::EndsAnswer);
            }
            last = chunk;
        };
        let answer =
            while_answering(&mut engine, |engine, pause| block_on(engine.complete(&request, &mut on_chunk, pause)));
        assert!(answer.expect("an answer")["usage"]["completion_tokens"].as_u64() < Some(99));
        assert_eq!(last["choices"][0]["finish_reason"], "abort");
        assert_eq!(press(true), Press::EndsProgram);
    }
}
