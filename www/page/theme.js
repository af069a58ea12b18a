// Light, dark, or as the system. A classic script in the head, so that the page never flashes in the wrong colours.

(() => {
  const KEY = 'cresset.theme';
  const CHOICES = ['auto', 'light', 'dark'];
  const LABELS = { auto: 'Colours: as the system', light: 'Colours: light', dark: 'Colours: dark' };

  const read = () => {
    try {
      const choice = localStorage.getItem(KEY);
      return CHOICES.includes(choice) ? choice : 'auto';
    } catch {
      return 'auto'; // storage is blocked: the choice lasts as long as the page
    }
  };

  let choice = read();
  const apply = () => { document.documentElement.dataset.theme = choice; };
  apply();

  addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    const label = () => {
      button.setAttribute('aria-label', LABELS[choice]);
      button.title = LABELS[choice];
    };
    label();
    button.addEventListener('click', () => {
      choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
      try { localStorage.setItem(KEY, choice); } catch { /* see read() */ }
      apply();
      label();
    });
  });
})();
