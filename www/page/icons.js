// Line icons, drawn for this page on a grid of 20.

/** @type {Record<string, string>} */
const PATHS = {
  chat: 'M4 5.5h12v8.5H9.5L6 17v-3H4z',
  write: 'M3.5 16.5l.9-3.6L13.2 4.1a1.6 1.6 0 0 1 2.3 0l.4.4a1.6 1.6 0 0 1 0 2.3l-8.8 8.8zM11.7 5.6l2.7 2.7',
  listen: 'M3.5 8.5v3M7 5.5v9M10.2 3.5v13M13.4 6.5v7M16.6 8.5v3',
  mic: 'M10 3a2.3 2.3 0 0 0-2.3 2.3v4.4a2.3 2.3 0 0 0 4.6 0V5.3A2.3 2.3 0 0 0 10 3zM5 9.5a5 5 0 0 0 10 0M10 14.5V17',
  aloud: 'M4 8v4h2.6L10 15V5L6.6 8zM12.6 7.6a3.4 3.4 0 0 1 0 4.8M14.8 5.4a6.5 6.5 0 0 1 0 9.2',
  picture: 'M3.5 4.5h13v11h-13zM3.5 13l3.6-3.6 3.2 3.2 2-2 4.2 4.2M13 7.6h.01',
  models: 'M10 2.8l6.6 3.4v7.6L10 17.2l-6.6-3.4V6.2zM3.4 6.2L10 9.6l6.6-3.4M10 9.6v7.6',
  embed: 'M7 6L3 10l4 4M13 6l4 4-4 4',
  settings: 'M3 6.2h7.2M14.8 6.2H17M3 13.8h2.2M9.8 13.8H17M12.5 4v4.4M7.5 11.6V16',
  menu: 'M3.5 5.5h13M3.5 10h13M3.5 14.5h13',
  down: 'M5.5 8l4.5 4.5L14.5 8',
  left: 'M12 5.5L7.5 10l4.5 4.5',
  right: 'M8 5.5l4.5 4.5L8 14.5',
  plus: 'M10 4v12M4 10h12',
  close: 'M5 5l10 10M15 5L5 15',
  more: 'M4.5 10h.01M10 10h.01M15.5 10h.01',
  search: 'M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM12.7 12.7L16.5 16.5',
  copy: 'M7.5 7.5h8.5V16H7.5zM12.5 7.5V4H4v8.5h3.5',
  check: 'M4 10.5l4 4 8-9',
  again: 'M15.6 8A6 6 0 1 0 16 11M16 4v4h-4',
  edit: 'M4 16l.7-3L13 4.7a1.3 1.3 0 0 1 1.9 0l.4.4a1.3 1.3 0 0 1 0 1.9L7 15.3z',
  send: 'M10 16V4.5M5 9l5-5 5 5',
  stop: 'M6 6h8v8H6z',
  pause: 'M7 5v10M13 5v10',
  resume: 'M7 5l8 5-8 5z',
  remove: 'M4.5 6h11M8 6V4h4v2M6 6l.7 10h6.6L14 6M8.6 9v4M11.4 9v4',
  file: 'M5 3h6.5L15 6.5V17H5zM11.5 3v3.5H15',
  folder: 'M3 5h5l1.5 2H17v8.5H3z',
  link: 'M8.5 11.5l3-3M9.5 6.5l1.6-1.6a2.8 2.8 0 0 1 4 4L13.5 10.5M10.5 13.5l-1.6 1.6a2.8 2.8 0 0 1-4-4l1.6-1.6',
  panel: 'M3.5 4.5h13v11h-13zM12 4.5v11',
  warn: 'M10 3.5L17.5 16.5h-15zM10 8.5v3.5M10 14.3v.01',
  info: 'M10 3a7 7 0 1 0 0 14a7 7 0 0 0 0-14zM10 9.3V13.5M10 6.7v.01',
  chip: 'M6 6h8v8H6zM8 3.5V6M12 3.5V6M8 14v2.5M12 14v2.5M3.5 8H6M3.5 12H6M14 8h2.5M14 12h2.5',
  thought: 'M6.5 14.5A4.5 4.5 0 0 1 6 5.7a4.6 4.6 0 0 1 8.5.8 4 4 0 0 1-.5 8zM5 17h.01',
};

const SVG = 'http://www.w3.org/2000/svg';

/** @param {string} name   of PATHS */
export const icon = (name) => drawing(20, 'icon', [PATHS[name], '']);

/** @param {number} size   of the grid @param {string} name   class @param {...string[]} paths   each with its class */
export function drawing(size, name, ...paths) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('class', name);
  svg.setAttribute('aria-hidden', 'true');
  for (const [d, part] of paths) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    if (part) path.setAttribute('class', part);
    svg.append(path);
  }
  return svg;
}
