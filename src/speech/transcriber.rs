//! Goes through a recording, window by window (Radford et al. 2022, section 4.5, <https://arxiv.org/abs/2212.04356>): what a
//! window says of times tells where the next one begins, and what was said before is what it begins with.

use super::alignment::Alignment;
use super::draft::{Draft, TEMPERATURES, choose, compression};
use super::hearing::{Hearing, Sound};
use super::ids::SpeechIds;
use super::rules::restrict;
use super::segments::{FRAMES, Segment, passages};
use crate::device::{Device, KvFormat, Row, YieldNow};
use crate::error::{Error, Result};
use crate::generate::{Batch, ModelRunner, Output, PAGE};
use crate::models::Speech;
use crate::ops::{HOP, undrawable};
use crate::sampler::logprob;
use std::cell::Cell;
use std::rc::Rc;

/// log₁₀ of a band's energy below which a frame is silent: noise at −50 dB of full scale has about −4.4.
const SILENCE: f32 = -4.5;
/// Frames of silence that are no pause between sentences.
const PAUSE: usize = 500;
/// Above this temperature a window's text is no guide for the next one.
const MOST_GUIDING: f32 = 0.5;

/// The options of a transcription.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TranscribeOptions {
    /// The language's id; `None`: heard from the first window in which something is said.
    pub language: Option<u32>,
    /// Into English.
    pub translate: bool,
    /// Text that stands before the first window: names, spelling, style.
    pub prompt: Vec<u32>,
    /// `None`: 0, and higher ones where the model is not sure.
    pub temperature: Option<f32>,
    /// Whether passages have times, though the recording fits one window.
    pub times: bool,
    /// Whether ids have times of their own.
    pub words: bool,
    /// For temperatures above 0.
    pub seed: u64,
}

/// The passages of a recording, and their language.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// The language's id; `None` for models of English alone, and where nothing is said.
    pub language: Option<u32>,
    /// In order.
    pub segments: Vec<Segment>,
}

/// A speech model on its device.
pub struct Transcriber {
    /// Where its weights and its plans are.
    pub device: Device,
    hearing: Hearing,
    runner: ModelRunner,
    /// Which ids are languages, tasks and times.
    pub ids: SpeechIds,
    /// The heads of the decoder that look at what is being said, each a layer and one of its heads.
    alignment_heads: Vec<[usize; 2]>,
    /// Set from outside to end the running request; the caller takes it back before the next one.
    pub interrupted: Rc<Cell<bool>>,
}

impl Transcriber {
    /// Makes room for a window and its text. `alignment_heads`: those of the decoder that look at what is being said,
    /// each a layer and one of its heads.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`, `DEVICE_LOST`.
    pub async fn new(
        mut device: Device,
        speech: Speech,
        ids: SpeechIds,
        alignment_heads: Vec<[usize; 2]>,
        kv: KvFormat,
    ) -> Result<Self> {
        let context = speech.decoder.shape.context;
        let hearing = Hearing::new(&mut device, speech.encoder)?;
        let runner = ModelRunner::new(&mut device, Box::new(speech.decoder), context, kv, [1, PAGE]).await?;
        Ok(Transcriber { device, hearing, runner, ids, alignment_heads, interrupted: Rc::default() })
    }

    /// Records the plans of every request, and begins to compile them.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub fn begin_warm_up(&mut self) -> Result<()> {
        self.hearing.begin_warm_up(&mut self.device)?;
        for rows in [16, 1] {
            let key = self.runner.key(&self.device, &batch(&vec![0; rows], 0, vec![0]));
            self.runner.begin(&mut self.device, key)?;
        }
        Ok(())
    }

    /// Waits for what [`Self::begin_warm_up`] has begun.
    ///
    /// # Errors
    /// Those of compiling, `DEVICE_LOST`.
    pub async fn warm_up(&mut self) -> Result<()> {
        self.hearing.warm_up(&self.device).await?;
        self.runner.plans.finish_all(&self.device).await
    }

    /// Transcribes `sound`. `on_segment` hears of each passage once it is settled, and of the frames that are done with and
    /// those that there are.
    ///
    /// # Errors
    /// `ABORTED`, `MODEL_FORMAT` for logits that are not numbers, and those of the device.
    pub async fn transcribe(
        &mut self,
        sound: &Sound,
        options: &TranscribeOptions,
        on_segment: &mut dyn FnMut(&[Segment], usize, usize),
        yield_now: &YieldNow,
    ) -> Result<Transcript> {
        let frames = sound.len().div_ceil(HOP);
        let window = self.hearing.frames();
        let loudness = self.loudness(sound, frames, yield_now).await?;
        let loudest = loudness.iter().copied().fold(f32::MIN, f32::max);
        let times = options.times || frames > window;
        let mut transcript = Transcript { language: options.language, segments: Vec::new() };
        let mut before = options.prompt.clone();
        let mut seek = 0;
        while seek < frames {
            let silent = loudness[seek..].iter().take_while(|peak| **peak < SILENCE).count();
            if seek + silent == frames {
                break;
            }
            if silent >= PAUSE {
                seek += silent - silent % PAUSE; // is passed over without being heard
            }
            let length = window.min(frames - seek);
            self.hearing.listen(&self.device, sound, seek, loudest).await?;
            self.pause(yield_now).await?;
            if transcript.language.is_none() && self.ids.is_multilingual() {
                transcript.language = Some(self.language().await?);
            }
            let opening = self.opening(transcript.language, options.translate, times);
            let draft = self.draft(&before, &opening, times, options, yield_now).await?;
            let mut done = length;
            if !draft.is_silence() {
                let ticks = match options.words {
                    true if !draft.ids.is_empty() => self.align(&opening, &draft.ids, length, yield_now).await?.ticks,
                    _ => Vec::new(),
                };
                let (segments, frames_done) = passages(&self.ids, &draft, &ticks, seek, length);
                done = frames_done;
                if draft.temperature > MOST_GUIDING {
                    before.clear();
                }
                before.extend(segments.iter().flat_map(|segment| &segment.ids));
                let spoken: Vec<Segment> =
                    segments.into_iter().filter(|it| it.ids.iter().any(|id| *id < self.ids.end)).collect();
                on_segment(&spoken, seek + done, frames);
                transcript.segments.extend(spoken);
            }
            seek += done;
        }
        Ok(transcript)
    }

    /// Logits [ids, V] of every position of `ids`, which open the text of a recording's first window: for measurements.
    ///
    /// # Errors
    /// As [`Self::transcribe`].
    pub async fn logits_after(&mut self, sound: &Sound, ids: &[u32], yield_now: &YieldNow) -> Result<Vec<f32>> {
        self.listen_to_first_window(sound, yield_now).await?;
        self.logits(ids, 0, &(0..ids.len() as u32).collect::<Vec<_>>()).await
    }

    /// When each of the ids `said`, which are not none, is spoken in a recording's first window, which they follow `opening` in:
    /// for texts that are known, and for measurements.
    ///
    /// # Errors
    /// As [`Self::transcribe`].
    pub async fn align_known(
        &mut self,
        sound: &Sound,
        opening: &[u32],
        said: &[u32],
        yield_now: &YieldNow,
    ) -> Result<Alignment> {
        self.listen_to_first_window(sound, yield_now).await?;
        let frames = self.hearing.frames().min(sound.len().div_ceil(HOP));
        self.align(opening, said, frames, yield_now).await
    }

    async fn listen_to_first_window(&mut self, sound: &Sound, yield_now: &YieldNow) -> Result<()> {
        let loudness = self.loudness(sound, sound.len().div_ceil(HOP), yield_now).await?;
        let loudest = loudness.iter().copied().fold(f32::MIN, f32::max);
        self.hearing.listen(&self.device, sound, 0, loudest).await
    }

    /// The loudest band of each frame.
    async fn loudness(&mut self, sound: &Sound, frames: usize, yield_now: &YieldNow) -> Result<Vec<f32>> {
        let mut all = Vec::with_capacity(frames + self.hearing.frames());
        while all.len() < frames {
            all.extend(self.hearing.loudness(&self.device, sound, all.len()).await?);
            self.pause(yield_now).await?;
        }
        all.truncate(frames);
        Ok(all)
    }

    async fn pause(&self, yield_now: &YieldNow) -> Result<()> {
        yield_now().await;
        if self.interrupted.get() { Err(Error::Aborted) } else { Ok(()) }
    }

    /// The language of the window that was heard last.
    async fn language(&mut self) -> Result<u32> {
        let logits = self.logits(&[self.ids.start], 0, &[0]).await?;
        let all = self.ids.languages.iter().map(|(_, id)| *id);
        let best = all.max_by(|a, b| logits[*a as usize].total_cmp(&logits[*b as usize]));
        best.ok_or_else(|| Error::Internal("a model of several languages has some".into()))
    }

    /// The ids that a window's text begins behind.
    fn opening(&self, language: Option<u32>, translate: bool, times: bool) -> Vec<u32> {
        let task = self.ids.tasks.map(|[transcribe, english]| if translate { english } else { transcribe });
        let no_times = (!times).then_some(self.ids.no_timestamps);
        let language = language.filter(|_| self.ids.is_multilingual());
        [Some(self.ids.start), language, task, no_times].into_iter().flatten().collect()
    }

    /// The text of the window that was heard last; where the model is not sure, at higher and higher temperatures.
    async fn draft(
        &mut self,
        before: &[u32],
        opening: &[u32],
        times: bool,
        options: &TranscribeOptions,
        yield_now: &YieldNow,
    ) -> Result<Draft> {
        let mut prompt = Vec::new();
        if !before.is_empty() {
            // Half the context is for what was said before.
            let most = self.runner.layout().context / 2 - 1;
            prompt.push(self.ids.previous);
            prompt.extend_from_slice(&before[before.len() - before.len().min(most)..]);
        }
        let start = prompt.len();
        prompt.extend_from_slice(opening);
        let temperatures = options.temperature.as_ref().map_or(&TEMPERATURES[..], std::slice::from_ref);
        let mut random = options.seed;
        let (last, others) = temperatures.split_last().expect("there is one");
        for &temperature in others {
            let draft = self.draft_at(&prompt, start, times, temperature, &mut random, yield_now).await?;
            if !draft.is_doubtful() {
                return Ok(draft);
            }
        }
        self.draft_at(&prompt, start, times, *last, &mut random, yield_now).await
    }

    /// `start`: where in `prompt` the opening begins.
    async fn draft_at(
        &mut self,
        prompt: &[u32],
        start: usize,
        times: bool,
        temperature: f32,
        random: &mut u64,
        yield_now: &YieldNow,
    ) -> Result<Draft> {
        let (context, vocabulary) = (self.runner.layout().context, self.runner.vocabulary());
        let end = self.ids.end;
        let both = self.logits(prompt, 0, &[start as u32, prompt.len() as u32 - 1]).await?;
        let no_speech = logprob(&both[..vocabulary], self.ids.no_speech).exp();
        let mut logits = both[vocabulary..].to_vec();
        let (mut ids, mut sum) = (Vec::new(), 0.0);
        loop {
            restrict(&self.ids, times, &ids, &mut logits);
            let id = choose(&logits, temperature, next_random(random));
            sum += logprob(&logits, id);
            if id == end || prompt.len() + ids.len() + 1 >= context {
                break;
            }
            ids.push(id);
            self.pause(yield_now).await?;
            logits = self.logits(&[id], prompt.len() + ids.len() - 1, &[0]).await?;
        }
        let mean_log_probability = sum / (ids.len() + 1) as f32;
        let compression = compression(&ids, vocabulary);
        Ok(Draft { ids, temperature, mean_log_probability, compression, no_speech })
    }

    /// When each of the ids `said` is spoken in the window that was heard last: what was settled is read once more, by heads that
    /// look at the sound. `frames`: up to the recording's end.
    async fn align(&mut self, opening: &[u32], said: &[u32], frames: usize, yield_now: &YieldNow) -> Result<Alignment> {
        let weights = self.attention(&[opening, said].concat(), yield_now).await?;
        let (positions, end) = (self.hearing.frames() / FRAMES, (frames / FRAMES).max(1));
        let heard = |row: &[f32]| row[..end].to_vec();
        let own = |rows: Vec<f32>| rows.chunks_exact(positions).skip(opening.len()).flat_map(heard).collect();
        Ok(Alignment::new(weights.into_iter().map(own).collect(), end))
    }

    /// The weights [ids, positions] with which each alignment head attends to the window that was heard last, while `ids` are read.
    async fn attention(&mut self, ids: &[u32], yield_now: &YieldNow) -> Result<Vec<Vec<f32>>> {
        let positions = self.hearing.frames() / FRAMES;
        let most = self.runner.observe(&mut self.device, &self.alignment_heads, positions).await?;
        let mut heads = vec![Vec::new(); self.alignment_heads.len()];
        for (i, ids) in ids.chunks(most).enumerate() {
            let batch = Batch { output: Output::Attention, ..batch(ids, i * most, vec![]) };
            self.run(&batch).await?;
            let rows = self.runner.read_attention(&self.device, ids.len()).await?;
            heads.iter_mut().zip(rows).for_each(|(head, rows)| head.extend(rows));
            self.pause(yield_now).await?;
        }
        Ok(heads)
    }

    async fn run(&mut self, batch: &Batch) -> Result<()> {
        let ticket = self.runner.run(&mut self.device, batch).await?;
        self.device.wait(ticket).await?;
        Ok(())
    }

    /// Logits [rows, V] of the rows `gather` of `ids`, which stand at `position` and behind it.
    async fn logits(&mut self, ids: &[u32], position: usize, gather: &[u32]) -> Result<Vec<f32>> {
        self.run(&batch(ids, position, gather.to_vec())).await?;
        let logits = self.runner.read_logits(&self.device, 0, gather.len()).await?;
        match logits.chunks_exact(self.runner.vocabulary()).any(undrawable) {
            false => Ok(logits),
            true => Err(Error::NotNumbers { what: "answer to a recording".into() }),
        }
    }
}

/// Rows of one sequence, from `position` on.
fn batch(ids: &[u32], position: usize, gather: Vec<u32>) -> Batch {
    let rows = (position as u32..).zip(ids).map(|(position, &token)| Row { slot: 0, position, token }).collect();
    Batch { rows, gather, output: Output::Logits, adapter: None, keys: position + ids.len(), media: Vec::new() }
}

/// From 0 to 1 (SplitMix64, Steele et al. 2014).
fn next_random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
