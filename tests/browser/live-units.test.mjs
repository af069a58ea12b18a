// Sound that goes on, without a browser: how it is brought to another rate, what is speech, what is read and what is settled.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSaid } from '../../www/lib/live/doubt.js';
import { BLOCK, Ear, RATE, loudnessOf } from '../../www/lib/live/loudness.js';
import { Passages } from '../../www/lib/live/passages.js';
import { Resampler } from '../../www/lib/live/resampler.js';
import { FORMATS, matchesOf, timeOf } from '../../www/page/listen/formats.js';
import { piecesOf } from '../../www/page/listen/pieces.js';
import { heardIn } from './mock/answers.js';
import { tones } from './sound.mjs';

/** A sine of full scale. */
const sine = (rate, hertz, seconds) => Float32Array.from({ length: rate * seconds }, (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate));

function resampled(input, from, piece) {
  const resampler = new Resampler(from, RATE);
  const out = [];
  for (let at = 0; at < input.length; at += piece) out.push(...resampler.push(input.subarray(at, at + piece)));
  return Float32Array.from(out);
}

test('sound of any rate becomes 16 kHz: what can be heard there stays, what cannot goes, however it is cut', () => {
  for (const from of [8000, 16_000, 22_050, 44_100, 48_000, 96_000]) {
    const low = resampled(sine(from, 440, 1), from, 1000);
    assert.ok(Math.abs(low.length - RATE) <= 40, `${from}: ${low.length} samples`);
    const want = sine(RATE, 440, 1);
    for (let i = 200; i < low.length - 200; i += 1) assert.ok(Math.abs(low[i] - want[i]) < 2e-3, `${from}: sample ${i} is ${low[i]}, not ${want[i]}`);
    assert.deepEqual(resampled(sine(from, 440, 1), from, 97), low, `${from}: cut otherwise`);
    if (from < 40_000) continue;
    const high = resampled(sine(from, 12_000, 1), from, 1000).subarray(200, -200);
    assert.ok(Math.max(...high.map(Math.abs)) < 0.01, `${from}: 12 kHz comes through`);
  }
});

test('speech is what is loud, or louder than the noise around it', () => {
  const heard = (...loudness) => {
    const ear = new Ear();
    return loudness.map((each) => ear.hears(each));
  };
  assert.deepEqual(
    loudnessOf(tones([[0.25, 0.5]])).map((x) => x.toFixed(3)),
    ['0.354', '0.354'],
  );
  assert.deepEqual(heard(0, 0.002, 0.02, 0.004, 0), [false, false, true, true, false]);
  assert.deepEqual(heard(0.004, 0.0045, 0.004, 0.009, 0.004), [false, false, false, true, false], 'a fan');
  assert.deepEqual(heard(0.02, 0.02), [true, true], 'loud from the first block on');
});

test('what a model makes of noise is told from what is said, as whisper-base hears both', () => {
  const said = (avg_logprob, compression_ratio, no_speech_prob) => isSaid({ avg_logprob, compression_ratio, no_speech_prob });
  for (const measured of [
    [-0.8, 0.6, 0.28],
    [-0.83, 0.71, 0.22],
    [-0.63, 0.61, 0.44],
    [-0.2, 0.78, 0.03],
  ])
    assert.ok(said(...measured), String(measured));
  for (const measured of [
    [-0.08, 23.4, 0.9],
    [-0.94, 0.64, 0.78],
    [-1.4, 1, 0.1],
  ])
    assert.ok(!said(...measured), String(measured));
});

/** Hears these parts, reading whatever is due as the mock does; gives what was settled when, and how much was read. */
function listen(parts, { ended = true, blocksARead = 1 } = {}) {
  const passages = new Passages();
  const samples = tones(parts);
  const settled = [];
  const opened = [];
  let reads = 0;
  const settle = (found) => settled.push(...found.map(({ text }) => text));
  const look = (last) => {
    for (let sound = passages.due(last); sound; sound = passages.due(last)) {
      reads += 1;
      settle(passages.take(sound.length, heardIn(sound)));
      if (passages.open) opened.push(passages.open);
    }
    if (passages.isWhole(last)) settle(passages.end());
  };
  for (let at = 0; at < samples.length; at += blocksARead * BLOCK) {
    passages.hear(samples.subarray(at, at + blocksARead * BLOCK));
    look(false);
  }
  if (ended) look(true);
  return { settled, opened, reads, open: passages.open };
}

test('while nothing is said nothing is read, however long; a click is no word', () => {
  assert.deepEqual(listen([[60, 0]]), { settled: [], opened: [], reads: 0, open: '' });
  assert.equal(
    listen([
      [1, 0],
      [0.1, 0.5],
      [5, 0],
    ]).reads,
    0,
  );
});

test('the open part is read every two seconds, and settled when a pause ends it', () => {
  const { settled, opened, reads } = listen(
    [
      [1, 0],
      [5, 0.5],
      [3, 0],
    ],
    { ended: false },
  );
  assert.deepEqual(settled, [' there was a small lamp on a stone wall above.']);
  assert.deepEqual(opened.slice(0, 2), [' there was a.', ' there was a small lamp on a.']);
  assert.equal(reads, 3);
});

test('each passage is settled once, in order, and what is said at the very end as well', () => {
  const two = listen([
    [2, 0.5],
    [2, 0],
    [1.5, 0.5],
  ]);
  assert.deepEqual(two.settled, [' there was a small.', ' there was a.']);
  assert.deepEqual(listen([[1, 0.5]], { ended: false }).settled, []);
  assert.deepEqual(listen([[1, 0.5]]).settled, [' there was.']);
});

test('without a pause, what two readings agree on is settled, but for its last passage', () => {
  // Gaps of half a second: passages to the model, no end of one here.
  const parts = Array.from({ length: 5 }, () => [
    [2, 0.5],
    [0.5, 0],
  ]).flat();
  const { settled, open } = listen(parts, { ended: false });
  assert.ok(settled.length >= 3, `${settled.length} passages`);
  assert.ok(settled.every((text) => text === ' there was a small.'));
  assert.equal(settled.length + open.split('.').length - 1, 5);
});

test('who speaks on and on is settled after 25 seconds, and memory does not grow', () => {
  const { settled, open, reads } = listen([[70, 0.5]], { ended: false });
  assert.equal(settled.length, 2);
  assert.ok(open.length > 0);
  assert.ok(reads <= 35, `${reads} readings`);
});

test('a device that reads slowly reads less often, and misses nothing', () => {
  const { settled, reads } = listen(
    [
      [2, 0.5],
      [1, 0],
      [2, 0.5],
      [1, 0],
      [6, 0],
    ],
    { blocksARead: 60 },
  );
  assert.equal(settled.join(''), ' there was a small. there was a small.');
  assert.equal(reads, 1);
});

test('a long recording is cut into pieces of half a minute at most, where it is quietest, without the silence between', () => {
  const pieces = (parts) => piecesOf(tones(parts)).map(({ from, to }) => [from / RATE, to / RATE]);
  assert.deepEqual(pieces([[5, 0]]), []);
  assert.deepEqual(
    pieces([
      [5, 0],
      [4, 0.5],
      [10, 0],
      [1.05, 0.5],
    ]),
    [
      [4.7, 9.3],
      [18.7, 20.05],
    ],
  );
  const words = Array.from({ length: 20 }, () => [
    [5, 0.5],
    [0.4, 0],
  ]).flat();
  const cut = pieces(words);
  assert.ok(
    cut.every(([from, to], i) => to - from <= 28 && (i === 0 || from >= cut[i - 1][1])),
    JSON.stringify(cut),
  );
  assert.ok(
    cut.slice(0, -1).every(([, to]) => to % 5.4 >= 4.9 || to % 5.4 < 0.2),
    JSON.stringify(cut),
  );
  assert.ok(cut.reduce((sum, [from, to]) => sum + to - from, 0) > 20 * 5);
});

test('a transcript is text, SubRip and WebVTT, and is searched whatever the case and the accents', () => {
  const passages = [
    { start: 0, end: 2.5, text: 'Hello <there>.' },
    { start: 3661.04, end: 3662, text: 'Déjà\n\nvu --> me.' },
  ];
  const written = (format) => FORMATS[format].write(passages);
  assert.equal(written('txt'), 'Hello <there>.\nDéjà vu --> me.\n');
  assert.equal(written('srt'), '1\n00:00:00,000 --> 00:00:02,500\nHello <there>.\n\n2\n01:01:01,040 --> 01:01:02,000\nDéjà vu --> me.\n');
  assert.equal(written('vtt'), 'WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nHello &lt;there&gt;.\n\n01:01:01.040 --> 01:01:02.000\nDéjà vu --&gt; me.\n');
  assert.deepEqual([timeOf(5.9), timeOf(65), timeOf(3723)], ['0:05', '1:05', '1:02:03']);
  assert.deepEqual(matchesOf('Déjà vu, deja VU', 'dejà'), [
    [0, 4],
    [9, 13],
  ]);
  assert.deepEqual(matchesOf('De\u0301ja\u0300 vu', 'déjà'), [[0, 6]]);
  assert.deepEqual(matchesOf('aaa', 'aa'), [[0, 2]]);
  assert.deepEqual([matchesOf('text', '  '), matchesOf('text', 'x.')], [[], []]);
});
