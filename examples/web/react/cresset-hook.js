// useWriter(model): a model as a React hook. { text, state, note, write(prompt), stop() }

import { Cresset } from '../../../dist/cresset.js';
import { useEffect, useRef, useState } from './react.js';

export function useWriter(model) {
  const [text, setText] = useState('');
  const [state, setState] = useState('loading'); // ready, writing
  const [note, setNote] = useState('Loading the model…'); // for people
  const engine = useRef(null);
  const running = useRef(null);

  useEffect(() => {
    const loading = new AbortController();
    Cresset.load(model, { signal: loading.signal }).then((loaded) => {
      if (loading.signal.aborted) return loaded.unload();
      engine.current = loaded;
      setNote('');
      return setState('ready');
    }, (error) => { if (error.code !== 'ABORTED') setNote(error.message); });
    // The component is gone, or the model another one: everything is freed.
    return () => {
      loading.abort();
      engine.current?.unload();
      engine.current = null;
    };
  }, [model]);

  async function write(prompt) {
    const { signal } = running.current = new AbortController();
    setState('writing');
    setNote('');
    setText(prompt);
    try {
      const stream = await engine.current.completions.create({ prompt, max_tokens: 120, temperature: 0.7, stream: true, signal });
      for await (const chunk of stream) setText((before) => before + (chunk.choices[0]?.text ?? ''));
    } catch (error) {
      setNote(error.code === 'ABORTED' ? 'Stopped.' : error.message);
    }
    setState('ready');
  }

  return { text, state, note, write, stop: () => running.current?.abort() };
}
