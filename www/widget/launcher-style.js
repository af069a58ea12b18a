// How the closed widget looks, and the palette of all of it. Sites change it by the custom properties named here
// (README.md lists them) and by `::part`.

export const LAUNCHER = `
:host {
  all: initial !important;
  display: contents !important;
  color-scheme: light dark !important;
}
:host([theme="light"]) { color-scheme: light !important; }
:host([theme="dark"]) { color-scheme: dark !important; }
:host([hidden]) { display: none !important; }

.root {
  --accent: var(--cresset-accent, light-dark(#b8420f, #f07a3a));
  --on-accent: var(--cresset-on-accent, light-dark(#fffaf5, #1a0f08));
  --accent-text: var(--cresset-accent-text, light-dark(#b33d0c, #ff9559));
  --surface: var(--cresset-surface, light-dark(#fffdf9, #1d1916));
  --raised: var(--cresset-raised, light-dark(#f6f2ec, #282320));
  --text: var(--cresset-text, light-dark(#231e1a, #ece5dc));
  --soft: var(--cresset-soft, light-dark(#6a5f55, #a99c8f));
  --line: var(--cresset-line, light-dark(#e3dbd0, #3a332d));
  --line-strong: light-dark(#9a8d7f, #7b6e62);
  --wash: light-dark(#fbeadf, #33211a);
  --alarm: light-dark(#9d1c2b, #ff9a9a);
  --alarm-wash: light-dark(#fceceb, #341c1d);
  --shadow: light-dark(#43281626, #00000080);
  --radius: var(--cresset-radius, 18px);
  --font: var(--cresset-font, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "PingFang SC", "Microsoft YaHei", sans-serif);
  --edge: var(--cresset-offset, 20px);
  position: fixed;
  inset: auto var(--edge) var(--edge) auto;
  z-index: var(--cresset-z-index, 2147483000);
  display: flex;
  flex-direction: column;
  align-items: flex-end;
  gap: 14px;
  width: auto;
  height: auto;
  max-width: none;
  margin: 0;
  padding: 0;
  border: 0;
  overflow: visible;
  background: none;
  color: var(--text);
  font-family: var(--font);
  font-size: var(--cresset-font-size, 1em);
  line-height: 1.5;
  text-align: start;
  direction: ltr;
  -webkit-text-size-adjust: 100%;
  /* Between panel and button the page stays in reach. */
  pointer-events: none;
}
.root > * { pointer-events: auto; }
:host([position="bottom-left"]) .root { inset: auto auto var(--edge) var(--edge); align-items: flex-start; }
:host([position="top-right"]) .root { inset: var(--edge) var(--edge) auto auto; flex-direction: column-reverse; }
:host([position="top-left"]) .root { inset: var(--edge) auto auto var(--edge); flex-direction: column-reverse; align-items: flex-start; }

*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button { margin: 0; font: inherit; color: inherit; letter-spacing: inherit; cursor: pointer; touch-action: manipulation; -webkit-tap-highlight-color: transparent; }
button:disabled, button[aria-disabled="true"] { cursor: default; }
svg { display: block; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
:focus-visible { outline: 2px solid var(--accent-text); outline-offset: 2px; }

.launcher {
  position: relative;
  flex: none;
  display: grid;
  place-items: center;
  width: var(--cresset-launcher-size, 56px);
  height: var(--cresset-launcher-size, 56px);
  padding: 0;
  border: 0;
  border-radius: 50%;
  background: var(--accent);
  color: var(--on-accent);
  box-shadow: 0 1px 2px var(--shadow), 0 8px 24px -4px var(--shadow);
  transition: transform .18s ease, box-shadow .18s ease;
}
.launcher:hover { transform: translateY(-2px); box-shadow: 0 2px 3px var(--shadow), 0 12px 28px -4px var(--shadow); }
.launcher:active { transform: none; }
.launcher:focus-visible { outline-offset: 3px; }
.launcher svg { grid-area: 1 / 1; width: 56%; height: 56%; transition: opacity .16s, transform .2s; }
.launcher .mark path:first-child { fill: currentColor; stroke: none; }
.launcher .down { width: 46%; height: 46%; stroke-width: 2; opacity: 0; transform: translateY(-4px); }
.launcher[aria-expanded="true"] .mark { opacity: 0; transform: translateY(4px); }
.launcher[aria-expanded="true"] .down { opacity: 1; transform: none; }
:host([position^="top"]) .launcher[aria-expanded="true"] .down { transform: rotate(180deg); }
.launcher[aria-busy="true"]::after {
  content: ""; position: absolute; inset: -5px; border-radius: 50%; border: 2.5px solid transparent; border-top-color: var(--accent);
  animation: turn .8s linear infinite;
}
@keyframes turn { to { transform: rotate(1turn); } }
.badge {
  position: absolute; top: -3px; right: -3px; min-width: 21px; height: 21px; padding: 0 6px; border: 2px solid var(--surface); border-radius: 99px;
  background: var(--alarm); color: light-dark(#fff, #2a0d0e); font-size: 12px; font-weight: 650; line-height: 17px; text-align: center; font-variant-numeric: tabular-nums;
}
.trouble {
  max-width: min(290px, 100vw - 2 * var(--edge)); margin: 0; padding: 12px 16px; border: 1px solid var(--line); border-radius: 14px;
  background: var(--surface); color: var(--text); font-size: .9375em; box-shadow: 0 8px 24px -6px var(--shadow);
}
@media (prefers-reduced-motion: reduce) {
  *, ::before, ::after { animation-duration: 1ms !important; animation-iteration-count: 1 !important; transition-duration: 1ms !important; }
  .launcher[aria-busy="true"]::after { animation: none !important; border-color: var(--accent); opacity: .5; }
}
@media (prefers-contrast: more) {
  .root {
    --accent: var(--cresset-accent, light-dark(#8f2f08, #ff9a5c));
    --accent-text: var(--cresset-accent-text, light-dark(#8a2d06, #ffb083));
    --surface: var(--cresset-surface, light-dark(#fff, #0f0c0a));
    --text: var(--cresset-text, light-dark(#120e0b, #fff9f2));
    --soft: var(--text);
    --line-strong: light-dark(#5f544a, #b3a596);
    --line: var(--line-strong);
    --alarm: light-dark(#86101f, #ffb3b3);
  }
}
@media (forced-colors: active) {
  .launcher, .badge { border: 2px solid ButtonText; }
}
@media print { .root { display: none; } }
`;
