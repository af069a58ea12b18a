// What is said of an answer, in the page and in the widget, in English. zh-CN.js has the same keys.

export default {
  'answer.code': 'Code',
  'answer.language': 'Code, {language}',
  'answer.table': 'Table',
  'answer.image': 'Image: {text}',
  'answer.leads': 'opens {host} in a new tab',
  'answer.earlier': 'Show earlier messages ({count})',
  'answer.reading': 'Reading: {loaded} of {total} tokens',
  'answer.readingLeft': 'Reading: {loaded} of {total} tokens, about {time} left',
  'answer.thinking': 'Thinking…',
  'answer.thought': 'Thought about it',
};
