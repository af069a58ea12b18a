// What the mock engine says, piece by piece: a story, or Markdown with everything the page must handle in it.

const STORY =
  'there was a small lamp on a stone wall above the harbour, and every evening the keeper came up the steps ' +
  'with a basket of dry wood. He lit the fire slowly, because he liked to watch the first flame climb. Ships far out ' +
  'on the dark water saw it and turned for home. One night the wind was so strong that no one could stand on the ' +
  'wall. The keeper took off his coat, held it around the iron basket and waited. In the morning three ships lay in ' +
  'the harbour, and the coat had a hole in it the size of a hand. “It was a good coat,” he said, “but it was only a coat.”';

export const WORDS = STORY.split(' ');

const MARKDOWN = `The sky is blue because air **scatters** short waves of light more than long ones. This has a name: *Rayleigh scattering*.

### What happens on the way

1. Sunlight holds every colour.
2. Air molecules pass red light on and send blue light in all directions:
   - straight down to you,
   - and back up again.
3. So blue reaches your eye from everywhere.

| Colour | Wavelength | Scattered |
|---|---:|:---:|
| Red | 700 nm | 1× |
| Green | 530 nm | 3× |
| Blue | 450 nm | 6× |

A few lines that compute it:

\`\`\`python
def scattered(wavelength, reference=700):
    # Rayleigh: the fourth power of the wavelength
    return (reference / wavelength) ** 4

print(f"{scattered(450):.1f} times as much blue as red")
\`\`\`

> In the evening light comes a longer way, and the blue is gone before it arrives.

لهذا السبب تكون السماء حمراء عند الغروب.

Read on in [an encyclopaedia](https://example.org/rayleigh), and try the \`scattered\` function yourself.`;

const HOSTILE = `<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">

![a picture](https://tracker.example/pixel.png) [click me](javascript:window.hacked=3) and [you](https://example.org/x "title") <iframe src="https://tracker.example"></iframe>

<svg onload="window.hacked = 4"><style>body { display: none }</style>`;

const THOUGHT = '<think>The visitor wants to know something. I should be brief and kind.</think>\n\n';

/** The pieces of an answer of a model with these traits; of one that goes on, what is left. @param {Set<string>} traits */
export function tell(traits, request) {
  const pieces = whole(traits, request);
  if (!request.continue_final_message) return pieces;
  const said = request.messages.at(-1).content.trimStart().length;
  let [count, text] = [0, ''];
  while (count < pieces.length && text.trimStart().length < said) text += pieces[count++];
  return pieces.slice(count);
}

/** The words of a message, and how many pictures come with them. */
function said(content) {
  if (!Array.isArray(content)) return content;
  const words = content.flatMap(({ type, text }) => (type === 'text' ? [text] : []));
  return [`(pictures: ${content.length - words.length})`, ...words].join(' ');
}

function whole(traits, request) {
  if (traits.has('echo')) return said(request.messages?.at(-1)?.content ?? '').match(/[\s\S]{1,7}/gu) ?? [];
  const thought = traits.has('thinks') && request.enable_thinking !== false ? inPieces(THOUGHT) : [];
  if (traits.has('hostile')) return inPieces(HOSTILE);
  if (traits.has('long')) return inPieces(Array.from({ length: 12 }, () => MARKDOWN).join('\n\n'));
  if (traits.has('markdown')) return [...thought, ...inPieces(MARKDOWN)];
  // A seeded storyteller begins elsewhere for each seed, so that two answers differ.
  const from = traits.has('seeded') ? (request.seed ?? 0) % WORDS.length : 0;
  return [...thought, ...WORDS.map((_, i) => ` ${WORDS[(from + i) % WORDS.length]}`)];
}

function inPieces(text) {
  return text.match(/[\s\S]{1,5}/g);
}

const RATE = 16_000;
const BLOCK = RATE / 10;

/**
 * What is said in a sound: of each stretch that is loud, as many words of the story as it has half seconds.
 * @param {Float32Array} sound
 * @returns {{ start: number, end: number, text: string }[]} seconds
 */
export function heardIn(sound) {
  const passages = [];
  let first = null;
  const blocks = Math.ceil(sound.length / BLOCK);
  for (let i = 0; i <= blocks; i += 1) {
    const loud = i < blocks && Math.hypot(...sound.subarray(i * BLOCK, (i + 1) * BLOCK)) > 0.01 * Math.sqrt(BLOCK);
    if (loud) first ??= i;
    if (loud || first === null) continue;
    const count = Math.round((i - first) / 5);
    if (count > 0) passages.push({ start: first / 10, end: i / 10, text: ` ${WORDS.slice(0, count).join(' ')}.` });
    first = null;
  }
  return passages;
}

/** OpenAI's `logprobs` of a completion's token: it, and other words in its place. */
export function logprobsOf(piece, position, n) {
  const top = { [piece]: Math.log(0.62) };
  for (let i = 1; i < n; i += 1) top[` ${WORDS[(position * 7 + i * 13) % WORDS.length]}`] = Math.log(0.2 / i);
  return { tokens: [piece], token_logprobs: [Math.log(0.62)], top_logprobs: [top] };
}
