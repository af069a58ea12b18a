// How the open widget looks; the palette is launcher-style.js's.

export const PANEL = `
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; user-select: none; -webkit-user-select: none; }

.panel {
  position: static;
  flex-direction: column;
  width: min(var(--cresset-width, 400px), 100vw - 2 * var(--edge));
  height: min(var(--cresset-height, 640px), 100vh - 2 * var(--edge) - var(--cresset-launcher-size, 56px) - 14px);
  height: min(var(--cresset-height, 640px), 100dvh - 2 * var(--edge) - var(--cresset-launcher-size, 56px) - 14px);
  max-width: none;
  max-height: none;
  margin: 0;
  padding: 0;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  overflow: hidden;
  background: var(--surface);
  color: var(--text);
  box-shadow: 0 2px 6px var(--shadow), 0 24px 64px -12px var(--shadow);
  outline: none;
}
.panel[open] { display: flex; animation: rise .2s cubic-bezier(.2, .8, .3, 1); transform-origin: bottom right; }
:host([position="bottom-left"]) .panel { transform-origin: bottom left; }
:host([position="top-right"]) .panel { transform-origin: top right; }
:host([position="top-left"]) .panel { transform-origin: top left; }
@keyframes rise { from { opacity: 0; transform: translateY(8px) scale(.98); } }
.panel:modal {
  position: fixed;
  inset: var(--view-top, 0) 0 auto;
  width: 100vw;
  height: var(--view-height, 100dvh);
  border: 0;
  border-radius: 0;
  overscroll-behavior: contain;
}
.panel::backdrop { background: light-dark(#231e1a66, #000000a6); }

.header { flex: none; display: flex; align-items: center; gap: 2px; padding: 14px 12px 12px 20px; border-bottom: 1px solid var(--line); }
.panel:modal .header { padding-top: max(14px, env(safe-area-inset-top)); }
.names { flex: 1; min-width: 0; }
.title { margin: 0; font-size: 1.0625em; font-weight: 650; line-height: 1.3; letter-spacing: -.005em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.status { position: relative; margin: 1px 0 0; padding-left: 14px; color: var(--soft); font-size: .8125em; line-height: 1.4; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.status::before { content: ""; position: absolute; left: 1px; top: .46em; width: 7px; height: 7px; border-radius: 50%; border: 1.5px solid var(--line-strong); }
[data-state^="ready"] .status::before { border-color: transparent; background: light-dark(#3d8056, #6fbf8b); }
[data-state="ready server"] .status::before { background: light-dark(#b8860b, #e0b24a); }
[data-state="loading"] .status::before { border-color: var(--accent); background: var(--accent); animation: breathe 1.6s ease-in-out infinite; }
[data-state="failed"] .status::before { border-color: var(--alarm); }
@keyframes breathe { 50% { opacity: .25; } }
.tool { flex: none; display: grid; place-items: center; width: 36px; height: 36px; padding: 0; border: 0; border-radius: 10px; background: none; color: var(--soft); transition: background .12s, color .12s; }
.tool:hover { background: var(--raised); color: var(--text); }
.tool svg { width: 20px; height: 20px; }
.panel:modal .header .tool { width: 44px; height: 44px; }

.model-row { flex: none; display: flex; align-items: center; gap: 10px; padding: 8px 20px; border-bottom: 1px solid var(--line); font-size: .8125em; color: var(--soft); }
.model-row select { flex: 1; min-width: 0; min-height: 32px; padding: 2px 8px; border: 1px solid var(--line); border-radius: 8px; background: var(--surface); color: var(--text); font: inherit; }

.middle { position: relative; flex: 1; min-height: 0; display: flex; }
.messages { flex: 1; min-width: 0; padding: 20px; overflow-x: hidden; overflow-y: auto; overscroll-behavior: contain; scrollbar-width: thin; scrollbar-color: var(--line-strong) transparent; }
.messages:focus-visible { outline-offset: -3px; border-radius: 8px; }
.greeting { margin: 0; font-size: 1.125em; line-height: 1.5; text-wrap: pretty; }
.welcome .hint { margin: 8px 0 0; }
.hint { color: var(--soft); font-size: .8125em; line-height: 1.45; }
.suggestions { display: flex; flex-wrap: wrap; gap: 8px; margin: 16px 0 0; padding: 0; list-style: none; }
.suggestion { min-height: 36px; padding: 6px 14px; border: 1px solid var(--line); border-radius: 99px; background: none; font-size: .9375em; line-height: 1.4; text-align: start; transition: border-color .12s, color .12s; }
.suggestion:hover { border-color: var(--accent-text); color: var(--accent-text); }
.welcome[data-begun] .suggestions { display: none; }

.turns { display: flex; flex-direction: column; gap: 14px; margin: 0; padding: 0; list-style: none; }
.turns:not(:empty) { margin-top: 20px; }
.turn.user { display: flex; flex-direction: column; align-items: flex-end; gap: 6px; padding-left: 44px; }
.bubble { padding: 9px 15px; border-radius: 18px 18px 5px 18px; background: var(--cresset-bubble, light-dark(#f0e8dc, #332c27)); color: var(--cresset-bubble-text, inherit); font-size: .9375em; white-space: pre-wrap; overflow-wrap: anywhere; }
.turn.assistant { padding-right: 8px; }
.words { font-size: .9688em; line-height: 1.6; overflow-wrap: anywhere; }
.note { padding: 2px 0; color: var(--soft); font-size: .8125em; line-height: 1.45; text-align: center; text-wrap: balance; }

/* How far a long prompt is read. */
.reading { margin: 0 0 6px; }
/* Three dots until the first word; they keep its line. */
.dots { display: none; align-items: center; gap: 5px; height: 1.55em; }
.waiting .dots, .writing .words.empty + .dots { display: flex; }
.waiting .words, .writing .words.empty { display: none; }
.dots i { width: 7px; height: 7px; border-radius: 50%; background: var(--accent); opacity: .3; animation: dot 1.2s infinite; }
.dots i:nth-child(2) { animation-delay: .16s; }
.dots i:nth-child(3) { animation-delay: .32s; }
/* What waits for the visitor does not look as if it were on its way. */
[data-state="failed"] .waiting .dots { visibility: hidden; }
[data-state="asking"] .dots i, [data-state="paused"] .dots i { animation: none; }
@keyframes dot { 30% { opacity: 1; } 60% { opacity: .3; } }

/* As tall while the answer is written as when its buttons are there: nothing moves when they come. */
.foot { display: flex; align-items: center; gap: 2px; min-height: 30px; margin: 2px 0 0 -7px; }
.foot .tool { width: 30px; height: 30px; border-radius: 8px; }
.foot .tool svg { width: 17px; height: 17px; }
.foot .tool.done { color: light-dark(#2f7048, #6fbf8b); }
.foot .again { display: none; }
.last .foot .again { display: grid; }
.foot .hint { margin-left: 7px; }
.go-on { display: none; min-height: 28px; margin-left: 6px; padding: 2px 12px; border: 1px solid var(--line); border-radius: 99px; background: none; font-size: .8125em; }
.go-on:hover { border-color: var(--accent-text); color: var(--accent-text); }
.last .go-on { display: block; }
.waiting .foot, .writing .foot { visibility: hidden; }

.thought { margin: 0 0 8px; color: var(--soft); font-size: .875em; }
.thought summary { width: fit-content; padding: 2px 0; border-radius: 6px; cursor: pointer; }
.thought-text { margin-top: 4px; padding-left: 12px; border-left: 2px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }

.words > :first-child { margin-top: 0; }
.words > :last-child { margin-bottom: 0; }
.words p, .words ul, .words ol, .words blockquote, .words .code, .words .scroller { margin: .7em 0; }
.words :is(h3, h4, h5, h6) { margin: 1.1em 0 .4em; font-size: 1em; font-weight: 650; line-height: 1.35; }
.words .depth-1 { font-size: 1.1875em; }
.words .depth-2 { font-size: 1.0937em; }
.words ul, .words ol { padding-inline-start: 1.5em; }
.words li { margin: .25em 0; }
.words li > p { margin: .35em 0; }
.words li > ul, .words li > ol { margin: .25em 0; }
.words ul { list-style: disc; }
.words ul ul { list-style: circle; }
.words li::marker { color: var(--soft); }
.words blockquote { margin-inline: 0; padding-inline-start: 14px; border-inline-start: 3px solid var(--line); color: var(--soft); }
.words hr { height: 0; margin: 1.1em 0; border: 0; border-top: 1px solid var(--line); }
.words a { color: var(--accent-text); text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: 2px; border-radius: 3px; }
.words a:hover { text-decoration-thickness: 2px; }
.words a svg { display: inline-block; width: .8em; height: .8em; margin-inline: .2em .1em; vertical-align: -.02em; stroke-width: 2; }
.place { color: var(--soft); font-size: .8667em; }
.words code { padding: .1em .35em; border-radius: 5px; background: var(--raised); font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .875em; }
.words .code { border: 1px solid var(--line); border-radius: 12px; overflow: hidden; background: var(--raised); }
.code figcaption { display: flex; align-items: center; justify-content: space-between; min-height: 32px; padding: 0 6px 0 14px; border-bottom: 1px solid var(--line); color: var(--soft); font-size: .75rem; font-size: .8em; }
.text-button { min-height: 26px; padding: 2px 8px; border: 0; border-radius: 7px; background: none; color: inherit; }
.text-button:hover { background: var(--surface); color: var(--text); }
.code pre { margin: 0; padding: 12px 14px; overflow-x: auto; line-height: 1.5; scrollbar-width: thin; }
.code pre:focus-visible, .scroller:focus-visible { outline-offset: -2px; }
.words pre code { padding: 0; background: none; white-space: pre; overflow-wrap: normal; }
.words .scroller { overflow-x: auto; border: 1px solid var(--line); border-radius: 12px; scrollbar-width: thin; }
.words table { border-collapse: collapse; min-width: 100%; font-size: .9375em; overflow-wrap: normal; }
.words th, .words td { min-width: 64px; max-width: 360px; padding: 7px 12px; border-bottom: 1px solid var(--line); text-align: start; vertical-align: top; }
.words th { font-weight: 650; background: var(--raised); }
.words tbody tr:last-child td { border-bottom: 0; }
.align-center { text-align: center !important; }
.align-right { text-align: end !important; }

.latest { position: absolute; left: 50%; bottom: 10px; display: grid; place-items: center; width: 36px; height: 36px; margin-left: -18px; padding: 0; border: 1px solid var(--line); border-radius: 50%; background: var(--surface); color: var(--text); box-shadow: 0 2px 8px var(--shadow); }
.latest svg { width: 18px; height: 18px; stroke-width: 2; }

.tray { flex: none; padding: 0 14px; }
.tray > :last-child { margin-bottom: 4px; }
.card { padding: 14px 16px; border: 1px solid var(--line); border-radius: 14px; background: var(--raised); font-size: .9375em; line-height: 1.5; }
.card p { margin: 4px 0 0; text-wrap: pretty; overflow-wrap: anywhere; }
.card .card-title { margin: 0; font-weight: 650; }
.card-buttons { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 12px; }
.primary, .quiet { min-height: 38px; padding: 6px 16px; border: 1px solid transparent; border-radius: 10px; font-weight: 600; line-height: 1.3; }
.primary { background: var(--accent); color: var(--on-accent); }
.primary:hover { background: color-mix(in srgb, var(--accent) 88%, var(--text)); }
.quiet { border-color: var(--line-strong); background: none; font-weight: 500; }
.quiet:hover { background: var(--surface); border-color: var(--text); }
.panel:modal .primary, .panel:modal .quiet { min-height: 44px; }
.card-row { display: flex; align-items: center; justify-content: space-between; gap: 12px; }
.card-row > div { min-width: 0; }
.card .amount { margin: 1px 0 0; color: var(--soft); font-size: .875em; font-variant-numeric: tabular-nums; }
.card-row .quiet { flex: none; min-height: 34px; padding: 4px 12px; }
.card-row .quiet.off { visibility: hidden; }
.card .hint { margin: 10px 0 0; }
.bar { height: 5px; margin-top: 11px; border-radius: 5px; background: var(--line); overflow: hidden; }
.bar div { height: 100%; border-radius: 5px; background: var(--accent); transform-origin: left; transform: scaleX(var(--fraction, 0)); transition: transform .25s; }
.bar.unknown div { width: 34%; transform: none; animation: pass 1.5s ease-in-out infinite; }
@keyframes pass { from { transform: translateX(-100%); } to { transform: translateX(300%); } }
.problem { border-color: color-mix(in srgb, var(--alarm) 32%, var(--line)); background: var(--alarm-wash); }
.owner { margin-top: 8px; color: var(--soft); font-size: .8667em; }
.owner summary { width: fit-content; padding: 2px 0; cursor: pointer; border-radius: 6px; }
.owner code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .9em; color: var(--alarm); }
.notice { margin: 0; padding: 9px 14px; border-radius: 12px; background: light-dark(#faf0d8, #332b18); font-size: .8125em; line-height: 1.45; overflow-wrap: anywhere; }

.composer { flex: none; display: flex; align-items: flex-end; gap: 6px; margin: 8px 14px 0; padding: 5px; border: 1px solid var(--line-strong); border-radius: 22px; background: var(--surface); transition: border-color .12s, box-shadow .12s; }
.composer:focus-within { border-color: var(--accent-text); box-shadow: 0 0 0 1px var(--accent-text); }
textarea { flex: 1; min-width: 0; margin: 0; padding: 5px 4px 5px 13px; border: 0; outline: 0; background: none; color: inherit; font: inherit; font-size: 1em; line-height: 1.5; resize: none; overflow-y: auto; scrollbar-width: thin; }
textarea:focus-visible { outline: 0; }
textarea::placeholder { color: var(--soft); opacity: 1; }
.attach { width: 34px; height: 34px; border-radius: 50%; }
.pictures { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 6px; max-width: 100%; }
.picture { display: block; max-width: 100%; padding: 0; border: 1px solid var(--line); border-radius: 14px; background: var(--surface); overflow: hidden; cursor: zoom-in; }
.picture canvas { display: block; max-width: 100%; height: auto; max-height: 200px; }
.picture:not(:only-child) canvas { width: 92px; height: 92px; object-fit: cover; }
.unseen-picture { display: block; padding: 8px 12px; color: var(--soft); font-size: .8125em; overflow-wrap: anywhere; }
.picture-dialog { position: fixed; inset: 0; place-items: center; box-sizing: border-box; width: 100%; height: 100%; max-width: none; max-height: none; margin: 0; padding: 20px; border: 0; background: none; cursor: zoom-out; }
.picture-dialog[open] { display: grid; }
.picture-dialog::backdrop { background: #000c; }
.picture-dialog canvas { max-width: 100%; max-height: calc(100dvh - 40px); object-fit: contain; }
.picture-close { position: absolute; top: 16px; inset-inline-end: 16px; display: grid; place-items: center; width: 44px; height: 44px; padding: 0; border: 0; border-radius: 50%; background: #000a; color: #fff; font-size: 24px; line-height: 1; }
.attaching { flex: none; margin: 8px 14px 0; }
.attaching[hidden], .attaching [hidden] { display: none; }
.attachments { display: flex; flex-wrap: wrap; gap: 6px; max-height: 132px; margin: 0; padding: 0; overflow-y: auto; list-style: none; }
.attachment { display: flex; align-items: center; gap: 8px; max-width: min(220px, 100%); box-sizing: border-box; padding: 4px; border: 1px solid var(--line); border-radius: 12px; background: var(--raised); font-size: .8125em; }
.attachment canvas { flex: none; width: 36px; height: 36px; border-radius: 8px; object-fit: cover; }
.attachment-name { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.attachment-remove { flex: none; display: grid; place-items: center; width: 30px; height: 30px; padding: 0; border: 0; border-radius: 8px; background: none; color: var(--soft); }
.attachment-remove:hover { background: var(--surface); color: var(--text); }
.attachment-remove svg { width: 16px; height: 16px; stroke-width: 2; }
.attachment-problem, .attachment-note { margin: 6px 4px 0; font-size: .8125em; line-height: 1.45; overflow-wrap: anywhere; }
.mic { width: 34px; height: 34px; border-radius: 50%; }
.mic[aria-pressed="true"] { background: var(--raised); color: var(--accent-text); box-shadow: 0 0 0 1px var(--accent-text); }
.hearing { flex: none; display: flex; gap: 7px; margin: 8px 14px 0; padding: 0 6px; color: var(--soft); font-size: .875em; line-height: 1.45; overflow-wrap: anywhere; }
.hearing[hidden] { display: none; }
.hearing svg { flex: none; width: 18px; height: 18px; color: var(--accent-text); }
.hearing strong { flex: none; color: var(--accent-text); font-weight: 600; }
.hearing .open { min-width: 0; font-style: italic; text-decoration: underline dotted; text-underline-offset: 3px; }
.send { flex: none; display: grid; place-items: center; width: 34px; height: 34px; padding: 0; border: 0; border-radius: 50%; background: var(--accent); color: var(--on-accent); transition: background .12s, color .12s; }
.send svg { grid-area: 1 / 1; width: 19px; height: 19px; stroke-width: 2.1; }
.send svg:last-child { display: none; fill: currentColor; stroke-width: 2; }
.writing .send svg:first-child { display: none; }
.writing .send svg:last-child { display: block; }
.send[aria-disabled="true"] { background: var(--raised); color: var(--soft); }
.panel:modal .composer textarea { font-size: max(16px, 1em); }
.panel:modal :is(.send, .mic, .attach) { width: 40px; height: 40px; }
.panel:modal textarea { padding-block: 8px; }
.footer { flex: none; margin: 0; padding: 7px 20px 12px; color: var(--soft); font-size: .75em; line-height: 1.4; text-align: center; }
.panel:modal .footer { padding-bottom: max(10px, env(safe-area-inset-bottom)); }

@media (prefers-contrast: more) {
  .bubble { border: 1px solid var(--line); }
}
@media (forced-colors: active) {
  .bubble, .card, .primary, .quiet, .composer, .code, .suggestion { border: 1px solid CanvasText; }
  .send, .bar div, .dots i, .status::before { forced-color-adjust: none; background: Highlight; color: HighlightText; }
  .send[aria-disabled="true"] { border: 1px solid GrayText; background: Canvas; color: GrayText; }
}
`;
