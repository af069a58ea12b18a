// One line about what the model is doing, in the views that use it; and what a visitor should know about its device.

import { activeTransfer, downloads, timeLeft } from './downloads.js';
import { duration } from './format.js';
import { warningText } from './problems.js';
import { deviceWords } from './reasons.js';
import { session } from './session.js';
import { t, words } from './text.js';

/** Keeps this line true. @param {HTMLElement} node */
export function stateLine(node) {
  const show = () => {
    const line = describeState();
    if (node.textContent !== line) node.textContent = line;
  };
  session.addEventListener('change', show);
  downloads.addEventListener('change', show);
  words.addEventListener('change', show);
  show();
}

function describeState() {
  const transfer = activeTransfer();
  if (session.busy && session.engine) return t('state.running');
  if (transfer && !session.engine) return describeTransfer(transfer);
  if (session.engine) return t(`state.ready.${session.engine.info.device.backend === 'cpu' ? 'cpu' : 'gpu'}`);
  return t('state.empty');
}

/** How far a model is on its way here. @param {import('./downloads.js').Transfer} transfer */
export function describeTransfer(transfer) {
  const { loaded, total } = transfer;
  const percent = total ? Math.min(Math.round((loaded / total) * 100), 100) : null;
  if (transfer.warning) return warningText(transfer.warning, transfer.label);
  const left = timeLeft(transfer);
  return [stageOf(transfer), percent === null ? null : t('state.percent', { percent }), left ? t('state.left', { time: duration(left) }) : null]
    .filter(Boolean)
    .join(' · ');
}

/** The stage in words: the library may know more of them than this page. @param {import('./downloads.js').Transfer} transfer */
export function stageOf({ status, label, text }) {
  const key = `stage.${status}`;
  const words = t(key, { label });
  return words === key ? (text ?? label) : words;
}

/** What is worth knowing about a device that is not a graphics adapter, or null. @param {import('../cresset.js').DeviceFacts} device */
export function deviceNotice(device) {
  const key = deviceWords(device, Boolean(globalThis.navigator.gpu));
  return key && t(key);
}
