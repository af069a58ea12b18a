// Starts the worker when it is asked to, and shows what it sends.

const at = (id) => document.getElementById(id);

at('start').addEventListener('click', () => {
  at('start').disabled = true;
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data: { state, story } }) => {
    if (state) at('state').textContent = state;
    if (!story) return;
    const item = document.createElement('li');
    item.className = 'text';
    item.textContent = story;
    at('stories').append(item);
  });
  worker.addEventListener('error', ({ message }) => { at('state').textContent = message || 'The worker could not be started.'; });
});
