// How the page looks: light or dark, usual or high contrast, in which language. A classic script in the head, so that the
// page never flashes in the wrong colours. Choices are kept; `auto` follows the system while the page is open.

(() => {
  /** @typedef {'theme' | 'contrast'} Name */

  /** @type {Record<Name, string[]>} */
  const CHOICES = { theme: ['auto', 'light', 'dark'], contrast: ['auto', 'usual', 'more'] };
  const moreContrast = matchMedia('(prefers-contrast: more)');
  const root = document.documentElement;
  /** Where storage is blocked, a choice lasts as long as the page. @type {Partial<Record<Name, string>>} */
  const lasting = {};

  const read = (/** @type {Name} */ name) => {
    try {
      const choice = localStorage.getItem(`cresset.${name}`) ?? lasting[name];
      return choice && CHOICES[name].includes(choice) ? choice : 'auto';
    } catch {
      return lasting[name] ?? 'auto';
    }
  };

  const apply = () => {
    const contrast = read('contrast');
    root.dataset.theme = read('theme');
    root.dataset.contrast = contrast === 'auto' ? (moreContrast.matches ? 'more' : 'usual') : contrast;
  };
  moreContrast.addEventListener('change', apply);
  apply();

  globalThis.cressetLook = {
    read,
    choose(name, choice) {
      lasting[name] = choice;
      try {
        localStorage.setItem(`cresset.${name}`, choice);
      } catch {
        /* see `lasting` */
      }
      apply();
    },
  };
})();
