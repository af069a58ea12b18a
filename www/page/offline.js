// The page without a network: the service worker keeps it, the library keeps the models.

import { registerOffline } from './service-worker.js';
import { toast } from './problems.js';
import { t } from './text.js';

/** Says so when the network is gone. */
export function tellOffline() {
  addEventListener('offline', () => toast(t('page.offline')));
}

/** Keeps the page for later visits and says when a new version of it is there; a page that cannot be kept works as before. */
export async function keepOffline() {
  await registerOffline({
    onUpdate: (apply) =>
      toast(t('page.update'), {
        label: t('page.update.apply'),
        run: async () => {
          if (!(await apply())) toast(t('page.update.tabs'));
        },
      }),
  });
}
