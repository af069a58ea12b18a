// The library in a worker of the site's own. It starts the engine in a worker below this one.

import { Cresset } from '../../../dist/cresset.js';

const BEGINNINGS = ['Once upon a time', 'One day, a little bird', 'Tom had a red ball'];

try {
  const engine = await Cresset.load('stories');
  for (const [i, prompt] of BEGINNINGS.entries()) {
    postMessage({ state: `Writing ${i + 1} of ${BEGINNINGS.length}…` });
    const { choices } = await engine.completions.create({ prompt, max_tokens: 60, temperature: 0.7 });
    postMessage({ story: prompt + choices[0].text });
  }
  postMessage({ state: 'Done.' });
  await engine.unload();
} catch (error) {
  postMessage({ state: error.message });
}
