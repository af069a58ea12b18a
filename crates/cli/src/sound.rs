//! Recordings as sound at 16,000 samples a second, one channel: WAV, MP3, FLAC, Ogg Vorbis, AAC and what else symphonia reads.

use cresset::error::{Error, Result};
use cresset::speech::SAMPLE_RATE;
use rubato::{Resampler, SincFixedIn, SincInterpolationParameters, SincInterpolationType, WindowFunction};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use symphonia::core::audio::SampleBuffer;
use symphonia::core::codecs::{CODEC_TYPE_NULL, DecoderOptions};
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::FormatOptions;
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::probe::Hint;

/// Samples that are resampled at a time.
const CHUNK: usize = 4096;
/// Where a file is in no format that is known.
const KNOWN: &str =
    "it is no WAV, MP3, FLAC, Ogg Vorbis, AAC (M4A, MP4), ALAC, AIFF or CAF file, nor sound in Matroska";
/// Samples a second that a file may claim.
const RATES: std::ops::RangeInclusive<u32> = 4000..=384_000;

/// A file's sound.
///
/// # Errors
/// `MODEL_NOT_FOUND` where there is no such file, `INVALID_REQUEST` for one without sound that can be read.
pub fn read(path: &Path) -> Result<Vec<f32>> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::ModelNotFound { what: path.display().to_string(), hint: "".into() },
        _ => unreadable(path, &error),
    })?;
    let (samples, rate) = decode(path, file)?;
    match rate as usize {
        SAMPLE_RATE => Ok(samples),
        _ if RATES.contains(&rate) => resample(&samples, rate).map_err(|error| unreadable(path, &error)),
        _ => Err(unreadable(path, &format!("it claims {rate} samples a second"))),
    }
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::invalid("--file", format!("{} cannot be read as a recording: {why}", path.display()))
}

/// The first track's samples, its channels' mean, and how many there are a second. What is damaged is left out.
fn decode(path: &Path, file: File) -> Result<(Vec<f32>, u32)> {
    let wrong = |fault: Fault| unreadable(path, &fault);
    let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
        hint.with_extension(extension);
    }
    let probe = symphonia::default::get_probe();
    let probed = probe.format(&hint, stream, &FormatOptions::default(), &MetadataOptions::default());
    let mut format = probed.map_err(|_| unreadable(path, &KNOWN))?.format;
    let track = format.tracks().iter().find(|track| track.codec_params.codec != CODEC_TYPE_NULL);
    let (id, codec) = track
        .map(|track| (track.id, track.codec_params.clone()))
        .ok_or_else(|| unreadable(path, &"there is no sound in it"))?;
    let mut decoder = symphonia::default::get_codecs().make(&codec, &DecoderOptions::default()).map_err(wrong)?;
    let (mut samples, mut rate) = (Vec::new(), codec.sample_rate.unwrap_or_default());
    loop {
        let packet = match format.next_packet() {
            Ok(packet) if packet.track_id() == id => packet,
            Ok(_) => continue,
            Err(Fault::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(Fault::ResetRequired) => break,
            Err(fault) => return Err(wrong(fault)),
        };
        match decoder.decode(&packet) {
            Ok(sound) => {
                let spec = *sound.spec();
                rate = spec.rate;
                let mut interleaved = SampleBuffer::<f32>::new(sound.capacity() as u64, spec);
                interleaved.copy_interleaved_ref(sound);
                let channels = spec.channels.count().max(1);
                let frames = interleaved.samples().chunks_exact(channels);
                samples.extend(frames.map(|frame| frame.iter().sum::<f32>() / channels as f32));
            }
            Err(Fault::DecodeError(reason)) => log::warn!("a damaged part of the recording is left out: {reason}"),
            Err(fault) => return Err(wrong(fault)),
        }
    }
    Ok((samples, rate))
}

/// Resamples to [`SAMPLE_RATE`].
fn resample(samples: &[f32], rate: u32) -> std::result::Result<Vec<f32>, Box<dyn std::error::Error>> {
    let parameters = SincInterpolationParameters {
        sinc_len: 128,
        f_cutoff: 0.95,
        interpolation: SincInterpolationType::Linear,
        oversampling_factor: 256,
        window: WindowFunction::BlackmanHarris2,
    };
    let ratio = SAMPLE_RATE as f64 / f64::from(rate);
    let mut resampler = SincFixedIn::<f32>::new(ratio, 1.0, parameters, CHUNK, 1)?;
    let wanted = (samples.len() as f64 * ratio).round() as usize;
    let mut out = Vec::with_capacity(wanted + CHUNK);
    let mut chunks = samples.chunks_exact(CHUNK);
    for chunk in &mut chunks {
        out.extend_from_slice(&resampler.process(&[chunk], None)?[0]);
    }
    out.extend_from_slice(&resampler.process_partial(Some(&[chunks.remainder()]), None)?[0]);
    while out.len() < wanted {
        out.extend_from_slice(&resampler.process_partial::<&[f32]>(None, None)?[0]);
    }
    out.truncate(wanted); // it has no delay, but for a part of a sample
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    #[test]
    fn a_tone_stays_where_it_is() {
        for rate in [8000u32, 44_100, 48_000] {
            let tone = |rate: f32| move |i: usize| (TAU * 100.0 * i as f32 / rate).sin();
            let samples: Vec<f32> = (0..rate as usize).map(tone(rate as f32)).collect();
            let out = resample(&samples, rate).expect("a tone");
            assert_eq!(out.len(), SAMPLE_RATE);
            let inner = 500..SAMPLE_RATE - 500;
            let worst = inner.map(|i| (out[i] - tone(SAMPLE_RATE as f32)(i)).abs()).fold(0.0, f32::max);
            assert!(worst < 0.05, "{rate}: {worst}"); // a sample is 0.04
        }
    }
}
