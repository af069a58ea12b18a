// Which language the widget speaks, and the few words of the closed one. The others are in messages/.

const WORDS = {
  en: { open: 'Open the chat', unread: 'Open the chat, new messages: {count}', close: 'Close the chat', failed: 'The chat could not be opened. Check your connection, then try again.' },
  'zh-CN': { open: '打开聊天', unread: '打开聊天，{count} 条新消息', close: '关闭聊天', failed: '无法打开聊天。请检查网络连接后重试。' },
};

/** Languages there are messages for; the first is for everyone else. */
export const LANGUAGES = Object.keys(WORDS);

/**
 * The widget's own `lang`, that of the part of the page it is in, or the visitor's first.
 * @param {HTMLElement} element
 */
export function languageOf(element) {
  const wanted = element.getAttribute('lang') || element.closest('[lang]:not([lang=""])')?.getAttribute('lang') || navigator.language || '';
  return /^zh\b/i.test(wanted) ? 'zh-CN' : 'en';
}

export function wordsOf(language) {
  return WORDS[language];
}

/** Puts values into a sentence's `{places}`. */
export function fill(text, values = {}) {
  return text.replace(/\{(\w+)\}/g, (place, name) => (Object.hasOwn(values, name) ? String(values[name]) : place));
}
