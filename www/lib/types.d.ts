// The calls that cross from page to worker (channel.js has the protocol). They do not travel with the code.

import type {
  Adapter,
  BenchReport,
  ChatCompletion,
  Completion,
  Device,
  Embeddings,
  EngineInfo,
  Estimate,
  Fit,
  Measure,
  Measured,
  Transcription,
} from '../cresset.js';
import type { BareProgress, Report, Source } from '../files/types.d.ts';

/** What is asked of a model or an adapter beside its source; `engine` is the part of it that the engine gets, as JSON. */
export interface AdapterSettings {
  engine: string;
  cache: boolean;
  integrity?: string;
}

export interface LoadSettings extends AdapterSettings {
  device: Device;
  threads?: number;
}

/** A picture's pixels, 4 bytes each, as an ImageData has them. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/** Method → what it takes and what it gives. */
export interface Calls {
  probe: { params: { source: Source; options: LoadSettings }; result: Fit };
  estimate: { params: { request: string; options: LoadSettings }; result: Measured & { models: Estimate[] } };
  measure: { params: { source: Source; options: LoadSettings }; result: Measure };
  load: { params: { source: Source; options: LoadSettings; adapter?: Source }; result: { info: EngineInfo } };
  loadAdapter: { params: { name: string; source: Source; options: AdapterSettings }; result: { info: EngineInfo } };
  listAdapters: { params: object; result: Adapter[] };
  unloadAdapter: { params: { name: string }; result: { info: EngineInfo } };
  generate: {
    /** `sound`: of a recording, 16,000 samples a second; `pictures`: of a chat. */
    params: { kind: 'chat' | 'completion' | 'transcription' | 'translation'; request: string; sound?: Float32Array; pictures?: Pixels[] };
    result: { answer: Completion | ChatCompletion | Transcription | string; info?: EngineInfo };
  };
  embed: { params: { request: string; pictures: Pixels[] }; result: Embeddings };
  bench: { params: { options: string }; result: BenchReport };
  tokenize: { params: { text: string }; result: number[] };
  detokenize: { params: { ids: Uint32Array }; result: string };
  applyChatTemplate: { params: { messages: string; options: string }; result: string };
  stats: { params: object; result: Record<string, unknown> };
}

/** How the worker answers them: `report` tells of progress, `signal` is aborted when the page no longer wants an answer. */
export type Methods = {
  [M in keyof Calls]: (params: Calls[M]['params'], report: Report, call: { id: number; signal: AbortSignal }) => Promise<Calls[M]['result']>;
};

export interface Listeners {
  onProgress?: (progress: BareProgress) => void;
  onChunk?: (chunk: any) => void;
}
