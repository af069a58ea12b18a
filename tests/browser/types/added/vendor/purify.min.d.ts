// What tools/vendor.mjs puts beside www/: a script that makes a global.
import DOMPurify from 'dompurify';

declare global {
  // eslint-disable-next-line no-var
  var DOMPurify: typeof import('dompurify').default;
}

export default DOMPurify;
