// The page and the widget: its methods are called, its events are heard.

const chat = document.querySelector('cresset-chat');

for (const button of document.querySelectorAll('[data-question]')) {
  button.addEventListener('click', async () => {
    await customElements.whenDefined('cresset-chat');
    await chat.open();
    await chat.send(button.dataset.question);
  });
}

chat.addEventListener('cresset-ready', ({ detail }) => {
  document.getElementById('state').textContent = detail.where === 'device' ? 'Our assistant runs on your device.' : `Our assistant runs on ${detail.host}.`;
});
chat.addEventListener('cresset-error', ({ detail }) => console.warn(detail.error.code, detail.error.message));
