// How much a server may send. Tests lay smaller limits over this file.

/** Bytes of a tokenizer or of an index of tensors: the largest known have a third of it. */
export const LARGE_TEXT = 128 << 20;

/** Bytes of any other small file beside the weights. */
export const SMALL_TEXT = 16 << 20;

/** Bytes of a file whose server does not say how many it has. */
export const UNSIZED = 8 * 2 ** 30;

/** Files that a model's weights are split into. */
export const PARTS = 1000;

/** Files that are asked about at once. */
export const AT_ONCE = 8;
