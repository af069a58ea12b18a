// The shapes that the chat's files share. They do not travel with the code.

import type { ConversationDetails, Turn } from '../../chat/types.d.ts';

/** What the store knows of a conversation beside its turns. */
export interface Conversation {
  id: string;
  title: string;
  /** By the visitor. */
  named: boolean;
  created: number;
  updated: number;
  /** System prompt. */
  system: string;
  /** Which of sibling turns are shown: see tree.js. */
  chosen: Record<string, string>;
}

/** A conversation with its turns, as it is read and passed on. */
export interface Whole {
  conversation: Conversation;
  turns: Turn[];
  /** How many of its turns cannot be read, or did not fit in. */
  missing?: number;
}

/** A row of the database that is no conversation: it is left alone until the visitor deletes it. */
export interface Unreadable {
  key: IDBValidKey;
  name: string;
}

export type Store = 'conversations' | 'turns';

/** A value under its store. */
export interface Row {
  store: Store;
  value: object;
}

/** Where conversations are kept. What it gives may be anything: rows.js says what it is. */
export interface Shelf {
  get(store: Store, key: string): Promise<unknown>;
  all(store: Store): Promise<unknown[]>;
  turnsOf(key: IDBValidKey): Promise<unknown[]>;
  /** All of them, or none. */
  put(rows: Row[]): Promise<unknown>;
  /** A conversation and its turns. */
  remove(key: IDBValidKey): Promise<unknown>;
  /** Visits every row without holding all of them. */
  each(store: Store, visit: (value: unknown) => void): Promise<void>;
}

/** Of the events of Conversations. */
export interface Details extends Omit<ConversationDetails, 'said' | 'answered'> {
  /** Of every conversation, not of the open one alone. */
  answered: ConversationDetails['answered'] & { record: Conversation };
  /** Another conversation is. */
  open: undefined;
  /** The store changed. */
  list: undefined;
  /** It could not be stored: why. */
  unkept: any;
  /** The conversation that was opened lacks so many turns, which cannot be read. */
  missing: number;
}
