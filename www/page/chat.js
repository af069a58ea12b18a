// Chat mode: messages in turn, for models with a chat template.

import { announce, byId, element } from './dom.js';

export class Chat {
  #messages = [];
  #log = byId('messages');
  #area = byId('message');
  #answering = false;

  /** @param {(messages: object[], onPiece: (text: string) => void) => Promise<string | null>} generate  gives how it ended, null if it failed */
  constructor(generate) {
    this.generate = generate;
    this.#area.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (!this.#answering) byId('chat').requestSubmit();
    });
    byId('chat-clear').addEventListener('click', () => this.clear());
  }

  /** Sends what is typed, or asks for the answer that is still missing. */
  async send() {
    const text = this.#area.value.trim();
    if (this.#answering || (!text && this.#messages.at(-1)?.role !== 'user')) return;
    if (text) {
      this.#add('user', text);
      this.#area.value = '';
    }
    this.#answering = true;
    byId('chat-clear').disabled = true;
    const bubble = this.#bubble('assistant');
    bubble.classList.add('writing');
    let answer = '';
    const finish = await this.generate([...this.#messages], (piece) => {
      answer += piece;
      const follow = this.#atBottom();
      bubble.lastChild.textContent = answer.trimStart();
      if (follow) this.#follow();
    });
    bubble.classList.remove('writing');
    this.#answering = false;
    byId('chat-clear').disabled = false;
    // A failed or empty answer leaves the question standing, to be asked again.
    if (answer.trim()) this.#messages.push({ role: 'assistant', content: answer.trim() });
    else bubble.remove();
    if (finish) announce(answer.trim() || 'No answer.');
  }

  clear() {
    this.#messages = [];
    this.#log.replaceChildren();
    byId('chat-clear').disabled = true;
    this.#area.focus();
  }

  #add(role, content) {
    this.#messages.push({ role, content });
    this.#bubble(role).lastChild.textContent = content;
    this.#follow();
  }

  #bubble(role) {
    const bubble = element('div', { class: `bubble ${role}` },
      element('span', { class: 'sr-only', textContent: role === 'user' ? 'You: ' : 'Model: ' }),
      element('span', { class: 'words' }));
    this.#log.append(bubble);
    this.#follow();
    return bubble;
  }

  #atBottom() {
    return this.#log.scrollTop + this.#log.clientHeight >= this.#log.scrollHeight - 60;
  }

  #follow() {
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}
