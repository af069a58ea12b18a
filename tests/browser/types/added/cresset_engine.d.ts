// The compiled engine, which wasm-bindgen puts beside www/ with types of its own: what the worker uses of them, with files and
// listeners where those say Array and Function. Texts are JSON but for prompts.
import type { BareProgress, Readable } from '../../../../www/files/types.d.ts';
import type { Pixels } from '../../../../www/lib/types.d.ts';

export class Engine {
  static load(files: Readable[], options: string, onProgress: (progress: BareProgress) => void): Promise<Engine>;
  adapters(): string;
  applyChatTemplate(messages: string, options: string): string;
  bench(options: string): Promise<string>;
  chat(request: string, pictures: Pixels[] | undefined, onChunk: (chunk: string) => void, onProgress?: (progress: BareProgress) => void): Promise<string>;
  completion(request: string, onChunk: (chunk: string) => void, onProgress?: (progress: BareProgress) => void): Promise<string>;
  detokenize(ids: Uint32Array): string;
  recording(request: string, sound: Float32Array, translate: boolean, on_chunk: Function, on_progress?: Function | null): Promise<string>;
  embeddings(request: string, pictures?: Pixels[]): Promise<string>;
  free(): void;
  info(): string;
  interrupt(): void;
  loadAdapter(name: string, files: Readable[], options: string): Promise<void>;
  stats(): string;
  tokenize(text: string): Uint32Array;
  unloadAdapter(name: string): void;
  verdict(): string;
}

export function estimate(request: string, options: string): Promise<string>;
export function probe(files: Readable[], options: string): Promise<string>;

interface Start {
  memory: WebAssembly.Memory;
  thread_stack_size?: number;
}

export default function init(start?: Start & { module_or_path: WebAssembly.Module }): Promise<unknown>;
export function initSync(start: Start & { module: WebAssembly.Module }): unknown;
