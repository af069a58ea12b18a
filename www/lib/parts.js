// The parts of a chat's messages.

/**
 * Messages with what `change` makes of each part of this type, one after the other: each takes memory while it is read.
 * @param {any} messages
 * @param {string} type
 * @param {(part: any, field: string) => Promise<any>} change
 * @returns {Promise<any>}
 */
export async function replaceParts(messages, type, change) {
  if (!Array.isArray(messages)) return messages;
  return each(messages, async (message, i) => {
    if (!Array.isArray(message?.content)) return message;
    const content = await each(message.content, async (part, j) => (part?.type === type ? change(part, `messages[${i}].content[${j}].${type}`) : part));
    return { ...message, content };
  });
}

/** @param {any[]} list @param {(item: any, i: number) => Promise<any>} change */
export async function each(list, change) {
  const changed = [];
  for (const [i, item] of list.entries()) changed.push(await change(item, i));
  return changed;
}
