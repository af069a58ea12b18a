//! The ids of Whisper's vocabulary that are no text.

/// Which ids are languages, tasks and times.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeechIds {
    /// `<|startoftranscript|>`.
    pub start: u32,
    /// `<|endoftext|>`; the ids below it are text.
    pub end: u32,
    /// `<|startofprev|>`: what was said before follows.
    pub previous: u32,
    /// `<|notimestamps|>`; the id behind it is `<|0.00|>`, the first of the times.
    pub no_timestamps: u32,
    /// `<|nospeech|>` or `<|nocaptions|>`.
    pub no_speech: u32,
    /// `<|transcribe|>` and `<|translate|>`, of models that know several languages.
    pub tasks: Option<[u32; 2]>,
    /// Names such as `en`, and their ids; none in models for English alone.
    pub languages: Vec<(String, u32)>,
    /// Ids that never come: signs that are not spoken, and those above but for times and the end.
    pub suppressed: Vec<u32>,
    /// Ids that do not come first: a space, the end.
    pub suppressed_first: Vec<u32>,
    /// The latest time that a window may begin with, in ticks.
    pub most_first_time: Option<u32>,
}

impl SpeechIds {
    /// `<|0.00|>`.
    pub fn first_time(&self) -> u32 {
        self.no_timestamps + 1
    }

    /// The time that an id says, in ticks of 20 ms from the window's beginning.
    pub fn ticks(&self, id: u32) -> Option<u32> {
        id.checked_sub(self.first_time())
    }

    /// Whether it knows several languages, and tasks.
    pub fn is_multilingual(&self) -> bool {
        !self.languages.is_empty()
    }
}
