// useWriter(model): a model as a React hook. { text, state, write(prompt), stop() }

import { Cresset } from '../../../dist/cresset.js';
import { useEffect, useRef, useState } from './react.js';

export function useWriter(model) {
  const [text, setText] = useState('');
  const [state, setState] = useState('Loading…');
  const engine = useRef(null);
  const running = useRef(null);

  useEffect(() => {
    const loading = new AbortController();
    const onProgress = (progress) => setState(progress.text);
    Cresset.load(model, { signal: loading.signal, onProgress }).then((loaded) => {
      if (loading.signal.aborted) return loaded.unload();
      engine.current = loaded;
      return setState('ready');
    }, (error) => { if (error.code !== 'ABORTED') setState(error.message); });
    // The component is gone, or the model another one: everything is freed.
    return () => {
      loading.abort();
      engine.current?.unload();
      engine.current = null;
    };
  }, [model]);

  async function write(prompt) {
    running.current = new AbortController();
    setState('writing');
    setText(prompt);
    try {
      const stream = await engine.current.completions.create({ prompt, max_tokens: 120, temperature: 0.7, stream: true, signal: running.current.signal });
      for await (const chunk of stream) setText((before) => before + (chunk.choices[0]?.text ?? ''));
      setState('ready');
    } catch (error) {
      setState(error.code === 'ABORTED' ? 'ready' : error.message);
    }
  }

  return { text, state, write, stop: () => running.current?.abort() };
}
