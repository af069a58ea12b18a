// What the loose check takes as given of all of www/, beside what browsers have: an event's detail and target are what its
// listener knows them to be, numbers may be written as attributes, and sw.js runs in a service worker.

interface Event {
  readonly detail: any;
  readonly key: any;
  readonly request: any;
  waitUntil(promise: Promise<unknown>): void;
  respondWith(response: unknown): void;
}

interface EventTarget {
  [property: string]: any;
}

interface Element {
  [property: string]: any;
  setAttribute(name: string, value: number | boolean): void;
}

interface Navigator {
  readonly deviceMemory?: number;
  readonly userAgentData?: { readonly mobile?: boolean; readonly platform?: string };
}

declare const clients: any;
declare const registration: any;
declare function skipWaiting(): Promise<void>;
