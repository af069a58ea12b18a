// Which language the closed widget speaks, and its few words. The others are in locales/.

import { localeOf } from '../chat/locale.js';

/** @type {Record<string, Record<string, string>>} */
const WORDS = {
  en: {
    open: 'Open the chat',
    unread: 'Open the chat, new messages: {count}',
    close: 'Close the chat',
    failed: 'The chat could not be opened. Check your connection, then try again.',
  },
  'zh-CN': { open: '打开聊天', unread: '打开聊天，{count} 条新消息', close: '关闭聊天', failed: '无法打开聊天。请检查网络连接后重试。' },
};

/**
 * The widget's own `lang`, that of the part of the page it is in, or the visitor's first.
 * @param {HTMLElement} element
 */
export function localeFor(element) {
  return localeOf(element.getAttribute('lang') || element.closest('[lang]:not([lang=""])')?.getAttribute('lang') || navigator.language);
}

/** @param {string} locale */
export const closedWords = (locale) => WORDS[locale];
