// The locales that there are words in, for the page and the widget.

/** Each under its own name; the first stands in for all others. */
export const LOCALES = { en: 'English', 'zh-CN': '简体中文' };

/**
 * The locale of the first of these language tags that has one: `zh`, `zh_CN` and `zh-TW` are `zh-CN` here.
 * @param {...unknown} tags
 */
export function localeOf(...tags) {
  const locales = Object.keys(LOCALES);
  const found = tags.map((tag) => locales.find((locale) => languageOf(locale) === languageOf(String(tag))));
  return found.find(Boolean) ?? locales[0];
}

/** The language of a tag: `zh` of `zh-CN`. @param {string} tag */
export const languageOf = (tag) => tag.trim().split(/[-_]/)[0].toLowerCase();
