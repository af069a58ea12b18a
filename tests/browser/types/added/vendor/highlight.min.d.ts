// What tools/vendor.mjs puts beside www/: of highlight.js, whose package for browsers has no types, as much as is used.
declare const highlighter: {
  getLanguage(name: string): object | undefined;
  highlight(code: string, options: { language: string; ignoreIllegals?: boolean }): { value: string };
};

export default highlighter;
