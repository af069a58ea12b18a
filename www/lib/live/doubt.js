// Whether a passage was said, or made of noise by the model. Knows no document.

// Models repeat themselves over what they cannot hear; the limit is Whisper's own.
const MOST_COMPRESSION = 2.4;
const LEAST_LOGPROB = -1;
// Speech of a second or two in noise of 10 dB has less than 0.5 of the first, and more than -0.9 of the second; noise alone has 0.75 and more.
const MOST_SILENCE = 0.6;
const SURE_LOGPROB = -0.5;

/** @param {{ avg_logprob: number, compression_ratio: number, no_speech_prob: number }} passage */
export function isSaid({ avg_logprob: logprob, compression_ratio: compression, no_speech_prob: silence }) {
  return compression <= MOST_COMPRESSION && logprob >= LEAST_LOGPROB && (silence <= MOST_SILENCE || logprob >= SURE_LOGPROB);
}
