// A story, written by a model in a React component.

import { useWriter } from './cresset-hook.js';
import { createElement as h, createRoot, useState } from './react.js';

function Story() {
  const [start, setStart] = useState('Once upon a time');
  const { text, state, note, write, stop } = useWriter('stories');
  const onSubmit = (event) => {
    event.preventDefault();
    write(start);
  };
  return h('main', null,
    h('h1', null, 'A story'),
    h('form', { onSubmit },
      h('label', { htmlFor: 'start' }, 'How does it begin?'),
      h('input', { id: 'start', value: start, required: true, onChange: ({ target }) => setStart(target.value) }),
      h('button', { disabled: state !== 'ready' }, 'Go on'),
      h('button', { type: 'button', disabled: state !== 'writing', onClick: stop }, 'Stop')),
    h('p', { id: 'state', role: 'status' }, note),
    h('p', { id: 'story', className: 'text', 'aria-live': 'polite', 'aria-busy': state === 'writing' }, text));
}

createRoot(document.getElementById('root')).render(h(Story));
