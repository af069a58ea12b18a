// The models that come with the site: one to chat with, which may be large, and the small one of every build.

import { Cresset } from '../cresset.js';

/** Whether a model answers: one that only tells stories does not. @param {{ tasks?: string[] }} row */
export const answers = ({ tasks = [] }) => !tasks.includes('stories');

/** What the site has to chat with, if it is not the model that is here anyway. */
export const offered = Cresset.models.find((row) => row.hub && answers(row));

/** What the page begins with. */
export const small = Cresset.models.find(({ hub }) => !hub);

/** What is known of a model of the site's. @param {import('../cresset.js').Model | null | undefined} model */
export const rowOf = (model) => Cresset.models.find(({ id }) => id === model);
