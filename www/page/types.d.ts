// The shapes that the page's files share. They do not travel with the code.

import type { Model, ModelShape, Progress } from '../cresset.js';

/** What `byId` finds that is more than an HTMLElement. */
export interface Ids {
  accent: HTMLInputElement;
  address: HTMLInputElement;
  composer: HTMLFormElement;
  'conversation-search': HTMLInputElement;
  'embed-form': HTMLFormElement;
  file: HTMLInputElement;
  'filter-maker': HTMLSelectElement;
  'filter-size': HTMLSelectElement;
  'filter-task': HTMLSelectElement;
  folder: HTMLInputElement;
  import: HTMLInputElement;
  inspect: HTMLInputElement;
  'listen-bar': HTMLProgressElement;
  'listen-file': HTMLInputElement;
  'listen-language': HTMLSelectElement;
  'listen-player': HTMLAudioElement;
  'listen-search': HTMLInputElement;
  'listen-translate': HTMLInputElement;
  message: HTMLTextAreaElement;
  preview: HTMLIFrameElement;
  system: HTMLTextAreaElement;
  text: HTMLTextAreaElement;
  thinking: HTMLSelectElement;
  tint: HTMLInputElement;
  'usage-bar': HTMLProgressElement;
  'write-again': HTMLButtonElement;
  'write-clear': HTMLButtonElement;
  'write-copy': HTMLButtonElement;
  'write-undo': HTMLButtonElement;
}

/** Parameters of a message. */
export type Values = Record<string, string | number>;

/** A message of the page's language: its key, alone or with parameters. */
export type Message = string | [string, Values?];

/** Where a message can stand in an element: its text, its name for assistive technology, tooltip, placeholder. */
export type Place = 'text' | 'label' | 'hint' | 'placeholder';

/** Of a new element; what has no name here is a property of the element, or an attribute if it has a hyphen in it. */
export interface Properties<E> extends Partial<Record<Place, Message | null>> {
  class?: string;
  onclick?: (event: MouseEvent & { currentTarget: E }) => unknown;
  onchange?: (event: Event & { target: E }) => unknown;
  [name: string]: unknown;
}

export type Child = Node | string | null | undefined | false;

/** A button of a card. */
export interface Action {
  /** Key of a message. */
  label: string;
  run: () => unknown;
  primary?: boolean;
}

/** A model on its way here. */
export interface Transfer {
  model: Model;
  label: string;
  integrity?: string;
  /** `elsewhere`: another tab downloads it. */
  state: 'loading' | 'paused' | 'failed' | 'elsewhere';
  /** The stage, as `onProgress` calls it. */
  status: string;
  loaded: number;
  total: number | null;
  /** Bytes a second, while downloading. */
  speed: number | null;
  /** The stage in the library's words. */
  text?: string;
  /** Nobody asked for it: the page begins with it. */
  quiet?: boolean;
  /** Bytes that were downloaded for it. */
  size?: number;
  /** Why it stands still for a while. */
  warning?: Progress['warning'];
}

/** What tabs tell each other of a transfer. */
export interface TransferNews {
  model: string;
  label: string;
  integrity?: string;
  loaded: number;
  total: number | null;
}

/** What a speed is estimated from. */
/** Of models/hub.json. */
export interface CatalogueRow {
  name: string;
  maker: string;
  tasks: string[];
  languages: string[];
  license: string;
  /** `hf:…` */
  model: string;
  sha256?: string;
  architecture: string;
  parameters: number;
  quantization: string;
  downloadBytes: number;
  /** In the context that models get by default, on a graphics card. */
  deviceBytes: number;
  shape: ModelShape;
}

/** What the browser says of this device. */
export interface Here {
  /** Gigabytes. */
  memory?: number;
  phone?: boolean;
}
