// What browsers have that TypeScript's library does not know, or not beside what pages have: it knows workers apart.

interface Navigator {
  readonly connection?: { readonly saveData?: boolean };
  readonly deviceMemory?: number;
  readonly userAgentData?: { readonly mobile?: boolean };
}

// Of workers.
interface FileSystemFileHandle {
  createSyncAccessHandle(): Promise<FileSystemSyncAccessHandle>;
}

interface FileSystemSyncAccessHandle {
  read(buffer: BufferSource, options?: { at?: number }): number;
  write(buffer: BufferSource, options?: { at?: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

// Of worklets.
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  abstract process(inputs: Float32Array[][]): boolean;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

// Of service workers.
interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}

interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

interface WindowEventMap {
  install: ExtendableEvent;
  activate: ExtendableEvent;
  fetch: FetchEvent;
}

interface WindowClient {
  readonly frameType: 'auxiliary' | 'top-level' | 'nested' | 'none';
}

declare const clients: {
  claim(): Promise<void>;
  matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly WindowClient[]>;
};
declare const registration: ServiceWorkerRegistration;
declare function skipWaiting(): Promise<void>;

// Of www/page/theme.js, a classic script.
// eslint-disable-next-line no-var
declare var cressetLook: {
  read(name: 'theme' | 'contrast'): string;
  choose(name: 'theme' | 'contrast', choice: string): void;
};

// eslint-disable-next-line no-var
declare var trustedTypes:
  { createPolicy(name: string, rules: { createScriptURL(text: string): string }): { createScriptURL(text: string): string } } | undefined;
