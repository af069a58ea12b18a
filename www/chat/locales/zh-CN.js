// What is said of an answer, in the page and in the widget, in Simplified Chinese. en.js has the same keys.

export default {
  'answer.code': '代码',
  'answer.language': '代码，{language}',
  'answer.table': '表格',
  'answer.image': '图片：{text}',
  'answer.leads': '在新标签页打开 {host}',
  'answer.earlier': '显示更早的消息（{count}）',
  'answer.reading': '正在读取：{loaded} / {total} 个词元',
  'answer.readingLeft': '正在读取：{loaded} / {total} 个词元，大约还需{time}',
  'answer.thinking': '正在思考……',
  'answer.thought': '思考过程',
};
