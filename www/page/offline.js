// The page without a network: the service worker keeps it, the library keeps the models.

import { toast } from './problems.js';
import { t } from './text.js';

/** Registers the service worker; a page that cannot have one works as before. */
export function registerOffline() {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const url = new URL('../sw.js', import.meta.url);
  serviceWorker.register(url, { scope: new URL('.', url).pathname, type: 'module' }).catch(() => {
    // Private windows, insecure origins: it needs the network then.
  });
  addEventListener('offline', () => toast(t('page.offline')));
}
