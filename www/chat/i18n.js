// Words by key, for the page and the widget.

export class Translator {
  #messages;
  #plural;
  #number;

  /**
   * @param {string} locale
   * @param {...Record<string, string>} messages   of several tables with the same key, the last one counts
   */
  constructor(locale, ...messages) {
    this.locale = locale;
    this.#messages = Object.assign(Object.create(null), ...messages);
    this.#plural = new Intl.PluralRules(locale);
    this.#number = new Intl.NumberFormat(locale);
  }

  /** These words, and others in their place. @param {Record<string, string>} messages */
  with = (messages) => new Translator(this.locale, this.#messages, messages);

  /** Whether there are words for this key. @param {string} key */
  has = (key) => this.#messages[key] !== undefined;

  /**
   * The message of this key, with `{name}` replaced by the value of that name. One with a `count` may have a form for each
   * plural of the language (`key.one`, `key.other`). A key without a message stands for itself.
   * @param {string} key
   * @param {Record<string, string | number>} [values]   numbers are written as the language does
   */
  t = (key, values = {}) => {
    const own = Object.assign(Object.create(null), values);
    const forms = typeof own.count === 'number' ? [`${key}.${this.#plural.select(own.count)}`, `${key}.other`] : [];
    const message = this.#messages[[...forms, key].find(this.has) ?? ''] ?? key;
    return message.replace(/\{(\w+)\}/g, (/** @type {string} */ whole, /** @type {string} */ name) => {
      const value = own[name];
      return typeof value === 'number' ? this.#number.format(value) : (value ?? whole);
    });
  };
}
