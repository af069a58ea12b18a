// Types of cresset-chat.js, the element `<cresset-chat>`. Attributes are in README.md; of those for looks, `accent`
// takes a CSS colour where a policy allows no `style`.

import type { CressetError, Engine, EngineInfo, Model, PicturePart, Progress, TextPart } from './cresset.js';

/** A message of visitor or assistant. */
export interface WidgetMessage {
  role: 'user' | 'assistant';
  /** Parts where a visitor's message has pictures (`images`), each a `data:` address of PNG, JPEG or WebP. */
  content: string | (TextPart | PicturePart)[];
}

/** A model that visitors may choose: what `model` takes, or with a name and more. */
export type WidgetModel =
  | string
  | {
      /** For people. */
      name: string;
      model: Model;
      /** Of the download: with it, a visitor's consent is asked for without asking the model's host. */
      megabytes?: number;
      integrity?: string;
    };

export interface CressetChatEventMap {
  /** It can answer: on this device, or by the site's server. */
  'cresset-ready': CustomEvent<{ where: 'device'; engine: Engine; info: EngineInfo } | { where: 'server'; host: string }>;
  'cresset-progress': CustomEvent<Progress>;
  /** A message is whole. `finish` is the answer's, as in a chat completion. */
  'cresset-message': CustomEvent<WidgetMessage & { finish?: 'stop' | 'length' | 'tool_calls' | 'abort' | null }>;
  /** What the visitor is told in words. */
  'cresset-error': CustomEvent<{ error: CressetError }>;
}

export declare class CressetChat extends HTMLElement {
  /** The loaded engine, or null. Setting one makes the widget use it, and leave it alone when it goes. */
  engine: Engine | null;
  /** The conversation, without the system message; setting it replaces the conversation. */
  messages: WidgetMessage[];
  /** Two or more let the visitor choose; the first is used unless the attribute `model` names another. */
  models: WidgetModel[];
  readonly opened: boolean;

  /** Resolves when the chat is there to type into; the model may still be on its way. */
  open(): Promise<void>;
  close(): void;
  /** As if the visitor had typed it; null where there is no answer: stopped, failed (an event says why), or cleared. */
  send(text: string): Promise<(WidgetMessage & { content: string }) | null>;
  /** Ends the answer that is being written; what is there of it stays. */
  stop(): void;
  /** Begins a new conversation. */
  clear(): void;

  addEventListener<K extends keyof CressetChatEventMap>(
    type: K,
    listener: (this: CressetChat, event: CressetChatEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'cresset-chat': CressetChat;
  }
}
