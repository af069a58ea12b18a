// Where a link leads, and whether its words say so by themselves. Who writes a link chooses its words: they are believed only where
// they are the very address, letter by letter, in letters that look like nothing else: no capital I for an l. Knows no document.

const SAFE = ['http:', 'https:', 'mailto:'];
const RECIPIENTS = ['to', 'cc', 'bcc'];
// A host with its port, and what follows it.
const ADDRESS = /^(?:https?:\/\/)?([a-z\d.-]+(?::\d+)?)([/?#][\x21-\x7e]*)?$/i;
const MAIL = /^(?:mailto:)?([\x21-\x7e]+)$/i;

/** An address that may be opened, or null. @param {string} href @param {string} [base] */
export function safeUrl(href, base) {
  try {
    const url = new URL(href, base);
    if (!SAFE.includes(url.protocol)) return null;
    // Who is at home in this house signs in elsewhere; before an @ stands what is to be taken for the host.
    url.username = '';
    url.password = '';
    return url;
  } catch {
    return null;
  }
}

/** The host, or who gets the mail, in ASCII and small letters: names in other letters as `xn--…`, or with percent signs. @param {URL} url */
export function placeOf({ protocol, host, pathname, searchParams }) {
  if (protocol !== 'mailto:') return host;
  const more = [...searchParams].filter(([name]) => RECIPIENTS.includes(name.toLowerCase())).map(([, value]) => encodeURI(value));
  return [pathname, ...more].filter(Boolean).join(', ').toLowerCase();
}

/** Whether the words of a link are its address, so that nothing else need say it. @param {string} words @param {URL} url */
export function isNamed(words, url) {
  const place = placeOf(url);
  if (url.protocol === 'mailto:') return MAIL.exec(words.trim())?.[1] === place;
  const [, host = '', rest] = ADDRESS.exec(words.trim()) ?? [];
  if (host !== place) return false;
  if (rest === undefined) return true;
  const { pathname, search, hash } = new URL(rest, url.origin);
  return pathname + search + hash === url.pathname + url.search + url.hash;
}
