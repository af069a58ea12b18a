// Speech models that people know by name. No row of the catalogue: no source names their SHA-256, so their sizes are about right, and the hub's
// own hash is what they are held to.

import { list, object, text } from '../../chat/shapes.js';
import { memory } from '../dom.js';

/** Bytes are about those of the weights. */
export const KNOWN = [
  { name: 'Whisper tiny', model: 'hf:openai/whisper-tiny', bytes: 151e6, note: 'tiny' },
  { name: 'Whisper base', model: 'hf:openai/whisper-base', bytes: 290e6, note: 'base' },
  { name: 'Whisper small', model: 'hf:openai/whisper-small', bytes: 967e6, note: 'small' },
  { name: 'Whisper large v3 turbo', model: 'hf:openai/whisper-large-v3-turbo', bytes: 1.62e9, note: 'turbo' },
];

/** Architectures that write down what is said, as `probe` and `info` name them. */
const ARCHITECTURES = ['whisper'];

/** Whether a model writes down recordings, and nothing else. @param {string | null} architecture */
export const hears = (architecture) => ARCHITECTURES.includes(architecture ?? '');

const ADDRESS = 10_000;
const MOST = 100;

/** What is remembered of the one that was chosen. */
export const remembered = object({ model: text(ADDRESS), label: text(ADDRESS) });

const names = () => memory.get('speech-models', list(text(ADDRESS), MOST)) ?? [];

/** Remembers that a model of this name hears. @param {string} model */
export const noteSpeech = (model) => memory.set('speech-models', [...new Set([model, ...names()])].slice(0, MOST));

/** Whether a model of this name is known to hear. @param {string} model */
export const isKnownSpeech = (model) => KNOWN.some((known) => known.model === model) || names().includes(model);

/** Whether files are a speech model, as far as their names and their configuration say. @param {File[]} files */
export async function isSpeechModel(files) {
  if (files.some(({ name }) => /^ggml-.*\.bin$/i.test(name) || /whisper.*\.gguf$/i.test(name))) return true;
  const config = files.find(({ name }) => name === 'config.json');
  if (!config) return false;
  try {
    return hears(JSON.parse(await config.text()).model_type);
  } catch {
    return false; // whoever loads it says what is wrong with it
  }
}

/** Whether a file is sound or film. @param {File} file */
export const isRecording = ({ name, type }) => /^(audio|video)\//.test(type) || /\.(aac|flac|m4a|mka|mkv|mov|mp3|mp4|oga|ogg|opus|wav|webm)$/i.test(name);

/** What a speech model is called here: its name, or the last part of its address. @param {string} model */
export function speechName(model) {
  return (
    KNOWN.find((known) => known.model === model)?.name ??
    model
      .replace(/@[\w./-]+$/, '')
      .replace(/\/+$/, '')
      .split('/')
      .pop() ??
    model
  );
}
