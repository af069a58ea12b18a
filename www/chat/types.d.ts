// The shapes that page and widget share. Of no use to a browser, so they do not travel with the code.

import type { RequestProgress, Usage } from '../cresset.js';
import type { CressetError } from '../lib/errors.js';
import type { Tree } from './tree.js';

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
  /** Before the words. */
  pictures?: Picture[];
}

/** The copy of a picture that a conversation keeps: picture.js has its limits. */
export interface Picture {
  /** Of the file it came from. */
  name: string;
  /** `data:`, in base64. */
  url: string;
  /** Pixels; absent where nobody has measured it. */
  width?: number;
  height?: number;
}

/** What the pictures of a composer need of the place they are in. */
export interface PictureOptions {
  words(): { t: import('./i18n.js').Translator['t']; locale: string };
  /** What to know while some are attached, as that the model sees none. */
  note(): HTMLElement | null;
  /** Others are attached than before. */
  onChange(): void;
  /** To screen readers. */
  announce(text: string): void;
  /** Moves the focus to the field. */
  focus(): void;
  /** What shows them cannot be fetched. */
  onTrouble(error: unknown): void;
}

/** Of a conversation, which is a tree of them. */
export interface Turn {
  id: string;
  /** Null for the first one. */
  parent: string | null;
  role: 'user' | 'assistant';
  content: string;
  /** Of the visitor's. */
  pictures?: Picture[];
  /** Milliseconds since 1970. */
  created: number;
  /** Who answered. */
  model?: string;
  /** How an answer ended; absent while it is written, and where the tab was closed over it. */
  finish?: string | null;
  usage?: Usage;
  /** The visitor changed the model's words. */
  edited?: boolean;
}

/** The beginning no longer fits; the model sees none of the pictures; a device was replaced. */
export type Note = { kind: 'dropped'; count: number } | { kind: 'unseen' | 'lost' | 'renewed' };

/** An answer that is to be written, or to go on. */
export interface Ask {
  /** Of visitor and assistant in turn, the visitor's last. */
  messages: Message[];
  /** Whether the question itself comes with pictures. */
  pictured: boolean;
  /** What is there of the answer already. */
  begun: string;
  /** Another answer is wanted than the one before. */
  newSeed: boolean;
  signal: AbortSignal;
  /** Nothing is waited for any more; `facts` become the turn's. */
  onStart(facts?: Partial<Turn>): void;
  /** The prompt is being read. */
  onReading(progress: RequestProgress): void;
  onText(text: string): void;
  onNote(note: Note): void;
  /** What is there of the answer is void. */
  onRestart(): void;
}

/** `finish` is `abort` after a stop. */
export type Answerer = (ask: Ask) => Promise<{ finish: string | null; usage?: Usage | null }>;

/** The answer that is being written. */
export interface Run {
  tree: Tree;
  turn: Turn | null;
  controller: AbortController;
  started: boolean;
}

export type TurnState = 'waiting' | 'writing' | 'stopped' | 'failed' | 'done';

/** How a turn stands in its conversation. */
export interface How {
  /** Which of how many versions. */
  place: [number, number];
  state: TurnState;
  last: boolean;
}

/** A turn on the page. */
export interface TurnView {
  node: HTMLElement;
  update(how: How): void;
  /** How far its prompt is read; null: no more. */
  read(progress: RequestProgress | null): void;
  /** Its text grew. */
  grow(): void;
  /** Its text is whole. */
  end(): void;
  /** Another language holds. */
  renew(): void;
}

/** What shows the words of an answer: a GrowingText, say. */
export interface Text {
  set(text: string): void;
  finish(text: string): void;
  renew(): void;
}

/** Where a thought is shown; `name` is what is seen of it while it is folded. */
export interface Thought {
  node: HTMLElement;
  name: HTMLElement;
  words: HTMLElement;
}

/**
 * What can be done about an error: try the same again; delete what is here and download it again; take another model; load the
 * model again, which has to be done before anything else; load it with a larger context; make the text shorter; begin anew.
 */
export type Way = 'again' | 'fresh' | 'other' | 'reload' | 'larger' | 'shorter' | 'anew';

export interface Problem {
  /** Which of several, by the facts. */
  kind?(details: Record<string, any>): string;
  /** Where loading a model ended so; the first is the likeliest to help. */
  load?: Way[];
  /** Where an answer did. */
  answer?: Way[];
}

/** A CressetError, say. */
export interface Failure {
  code: string;
  details?: Record<string, any>;
}

/** A number that visitors may set. */
export interface Control {
  /** Of the request's field. */
  name: string;
  min: number;
  max: number;
  step: number;
  /** What the page begins with. */
  value: number;
}

/** What differs from one place that shows Markdown to another. */
export interface RenderOptions {
  /** Words: code, language, table, image, leads. */
  say(key: string, values?: Record<string, string>): string;
  /** Of the first heading. */
  level: number;
  /** What addresses are relative to; without it only whole ones are links. */
  base?: string;
  /** Of a piece of code; has the class `copy-code`. */
  copyButton(): HTMLElement;
  /** Has the last word on a block. */
  check(node: HTMLElement): HTMLElement;
}

/** An EventTarget whose events have a detail, by their type. */
export interface Teller<Details> extends EventTarget {
  addEventListener<T extends keyof Details & string>(
    type: T,
    listener: (event: CustomEvent<Details[T]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

/** Of a Conversation. */
export interface ConversationDetails {
  path: undefined;
  said: Turn;
  started: Turn;
  reading: { turn: Turn; progress: RequestProgress | null };
  text: Turn;
  answered: { turn: Turn; error: CressetError | null; dropped: number };
  note: Note;
}
