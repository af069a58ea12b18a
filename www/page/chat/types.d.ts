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
}

export interface Stores {
  conversations: Conversation;
  turns: Turn & { conversation: string };
}

/** Where conversations are kept. */
export interface Shelf {
  get(store: 'conversations', id: string): Promise<Conversation | undefined>;
  all<S extends keyof Stores>(store: S): Promise<Stores[S][]>;
  turnsOf(id: string): Promise<Stores['turns'][]>;
  put<S extends keyof Stores>(store: S, value: Stores[S]): Promise<unknown>;
  remove(store: keyof Stores, key: string | string[]): Promise<unknown>;
  /** Visits every entry without holding all of them. */
  each<S extends keyof Stores>(store: S, visit: (value: Stores[S]) => void): Promise<void>;
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
}
