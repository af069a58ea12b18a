// The conversation over a site's pages, where the site wants it (`remember`): in this tab, until it is closed.

export class Memory {
  #key;

  /** @param {HTMLElement} host */
  constructor(host) {
    this.#key = `cresset-chat ${host.id || host.getAttribute('model') || 'default'}`;
  }

  /** @returns {{ messages: import('../chat/types.d.ts').Message[], opened: boolean, draft: string } | null} */
  read() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? 'null');
      const isMessage = (/** @type {any} */ each) => typeof each?.role === 'string' && typeof each.content === 'string';
      return kept && Array.isArray(kept.messages)
        ? { messages: kept.messages.filter(isMessage), opened: kept.opened === true, draft: String(kept.draft ?? '') }
        : null;
    } catch {
      return null; // no storage here, or not ours
    }
  }

  /** @param {{ messages: import('../chat/types.d.ts').Message[], opened: boolean, draft: string }} kept */
  write({ messages, opened, draft }) {
    const list = messages.map(({ role, content }) => ({ role, content }));
    try {
      sessionStorage.setItem(this.#key, JSON.stringify({ messages: list, opened, draft }));
    } catch {
      // Full or forbidden: it lasts as long as the page.
    }
  }
}
