/** Whether the browser, or its user, asks to save data. */
export function savesData() {
  return globalThis.navigator?.connection?.saveData === true || globalThis.matchMedia?.('(prefers-reduced-data: reduce)').matches === true;
}
