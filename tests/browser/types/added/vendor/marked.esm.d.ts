// What tools/vendor.mjs puts beside www/.
export * from 'marked';
