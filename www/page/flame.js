// The mark of the page: a fire in an iron basket. It burns while a model writes.

import { drawing } from './icons.js';

const IRON = ['M4.2 15.2h23.6', 'M5.6 15.2c.7 7 4.8 11.3 10.4 11.3s9.7-4.3 10.4-11.3', 'M11.4 15.2l1.9 10.8M20.6 15.2l-1.9 10.8', 'M16 26.5v3.7M12 30.2h8'];
const FLAME = 'M16.8 1.2c.4 4.2 6.3 6.5 6.3 13 0 4.3-3.1 7.3-7.1 7.3s-7.1-3-7.1-7c0-3 1.6-4.9 2.9-6.7.2 2 1 3.2 2.1 3.8-.7-3.9.6-7.8 2.9-10.4z';
const CORE = 'M16.4 9.6c.3 2.6 3.2 3.7 3.2 7 0 2.3-1.5 3.9-3.6 3.9s-3.6-1.5-3.6-3.6c0-1.8 1-2.8 1.8-3.9.2 1 .5 1.6 1.1 1.9-.3-2 .1-3.8 1.1-5.3z';

/** @param {'head' | 'large'} size */
export const flame = (size) => drawing(32, `logo ${size}`, [FLAME, 'flame'], [CORE, 'core'], ...IRON.map((d) => [d, 'iron']));
