// Choosing a model: those that come with the page, files (chosen or dropped), an address, and what is kept on this device.

import { Cresset } from '../cresset.js';
import { formatBytes } from '../progress.js';
import { byId, element, sentence } from './dom.js';
import { formatCount } from './facts.js';

/**
 * @param {(model: import('../cresset.js').Model, label: string) => void} choose
 * @returns {() => void} opens the dialog
 */
export function setUpPicker(choose) {
  const dialog = byId('models');
  const pick = (model, label) => {
    dialog.close();
    choose(model, label);
  };
  byId('model-button').addEventListener('click', () => openPicker(pick));
  byId('models-close').addEventListener('click', () => dialog.close());
  // A click on the backdrop lands on the dialog itself.
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  byId('file').addEventListener('change', ({ target }) => {
    const files = [...target.files];
    target.value = '';
    if (files.length > 0) pick(files, labelOf(files));
  });
  byId('address-form').addEventListener('submit', (event) => {
    event.preventDefault();
    lookAt(byId('address').value.trim(), pick);
  });
  setUpDrop(pick);
  return () => openPicker(pick);
}

function openPicker(pick) {
  byId('bundled').replaceChildren(...Cresset.models.map(({ id, name, bytes, description }) => modelRow({
    name, detail: [formatBytes(bytes), description].filter(Boolean).join(' · '), load: () => pick(id, name),
  })));
  byId('models').showModal();
  showStored(pick);
}

async function showStored(pick) {
  const stored = await Cresset.cache.list();
  byId('stored-section').hidden = stored.length === 0;
  byId('stored').replaceChildren(...stored.map(({ model, bytes }) => {
    const name = Cresset.models.find(({ id }) => id === model)?.name ?? shortName(model);
    return modelRow({
      name, detail: formatBytes(bytes), load: () => pick(model, name),
      remove: async () => {
        await Cresset.cache.delete(model);
        showStored(pick);
      },
    });
  }));
}

function modelRow({ name, detail, load, remove }) {
  return element('li', {},
    element('div', {}, element('strong', { textContent: name }), element('span', { class: 'hint', textContent: detail })),
    remove ? element('button', { type: 'button', class: 'quiet small', textContent: 'Delete', 'aria-label': `Delete ${name} from this device`, onclick: remove }) : null,
    element('button', { type: 'button', class: 'quiet small', textContent: 'Load', 'aria-label': `Load ${name}`, onclick: load }));
}

let looking = null;

/** Reads the header behind an address and says what it would mean to load it. */
async function lookAt(address, pick) {
  const fit = byId('fit');
  if (!address) return byId('address').focus();
  looking?.abort();
  looking = new AbortController();
  const { signal } = looking;
  fit.replaceChildren(element('p', { class: 'hint', textContent: 'Looking…' }));
  try {
    const found = await Cresset.probe(address, { signal });
    fit.replaceChildren(describeFit(found, () => pick(address, shortName(address))));
  } catch (error) {
    if (error.code === 'ABORTED') return;
    fit.replaceChildren(element('p', { class: 'notice error' }, sentence(error.message), ' ', element('code', { textContent: error.code })));
  }
}

function describeFit(fit, load) {
  const facts = [
    `${fit.architecture}, ${formatCount(fit.parameters)} parameters, ${fit.quantization.toUpperCase()}`,
    `${formatBytes(fit.downloadBytes)} to download`,
    fit.estimatedTokensPerSecond > 0 ? `about ${Math.round(fit.estimatedTokensPerSecond)} tokens/s here` : null,
  ].filter(Boolean).join(' · ');
  const button = element('button', { type: 'button', class: 'primary small', textContent: 'Download and load', onclick: load });
  return element('div', { class: 'fit' },
    element('p', {}, element('strong', { textContent: fit.fits ? 'It fits this device. ' : 'It does not fit. ' }), fit.fits ? facts : sentence(fit.reason ?? facts)),
    fit.fits ? button : null);
}

function setUpDrop(pick) {
  const veil = byId('drop');
  let depth = 0; // dragenter and dragleave also fire for every element within
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
  const show = (change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  addEventListener('dragenter', (event) => { if (hasFiles(event)) show(1); });
  addEventListener('dragleave', (event) => { if (hasFiles(event)) show(-1); });
  addEventListener('dragover', (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(0);
    const files = [...event.dataTransfer.files];
    if (files.length > 0) pick(files, labelOf(files));
  });
}

function labelOf(files) {
  return (files.find(({ name }) => /\.(gguf|safetensors)$/i.test(name)) ?? files[0]).name;
}

/** The last part of a URL or hub name. */
function shortName(model) {
  return decodeURIComponent(model.split(/[?#]/)[0]).split('/').filter(Boolean).pop() ?? model;
}
