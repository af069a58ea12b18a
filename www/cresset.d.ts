// Types of cresset.js. Requests and answers are OpenAI's objects; what is added to them is marked here.

export type Device = 'auto' | 'webgpu' | 'cpu';

/**
 * What to load: `'default'`, the chat model that comes with the site, or without one from the hub; `'stories'`, a small model that
 * continues stories and comes with every build; another id of `Cresset.models`, a URL of a `.gguf` or `.safetensors` file (sharded:
 * `.index.json`) or of a folder of those, `hf:owner/repo[/file][@revision]`, or the bytes themselves.
 */
export type Model = string | URL | Blob | Iterable<Blob> | FileList | ArrayBuffer | ArrayBufferView;

export interface Progress {
  status: 'probe' | 'download' | 'cache' | 'upload' | 'compile' | 'self-test' | 'ready';
  /** Bytes (download, cache, upload) or steps (compile, self-test). */
  loaded: number;
  total: number | null;
  /** 0 to 1, or null while the total is unknown. */
  fraction: number | null;
  /** One line for people. */
  text: string;
  /** Of a download: its pace over the last seconds, and what is left of it at that pace; null while unknown. */
  bytesPerSecond?: number | null;
  secondsLeft?: number | null;
  /**
   * What a person should know meanwhile: `DOWNLOAD`, the connection broke and is tried again; `STORAGE`, the model
   * runs, but cannot be kept for the next time. The reason: the connection broke (`broken`), or this device is `offline` and the
   * download goes on when it no longer is; there is no room (`full`), the browser keeps no files here (`unavailable`), or
   * another tab is writing this one (`busy`).
   */
  warning?: { code: 'DOWNLOAD' | 'STORAGE'; message: string; details: { reason: 'broken' | 'offline' | 'waiting' | 'full' | 'unavailable' | 'busy' } };
}

export interface ProbeOptions {
  signal?: AbortSignal;
  device?: Device;
  /**
   * Tokens. If absent, the model's own limit, or 4096, which grows with a conversation as far as the model and the device allow.
   * Models with LongRoPE (Phi 3, 3.5 and 4 mini) have two sets of factors:
   * this length, not a prompt's, decides which of them is used.
   */
  contextLength?: number;
  /** Number format of the KV cache. */
  kv?: 'f16' | 'f32' | 'q8';
  /** Make the matrices of an unquantised model smaller while loading: `q8_0`, `q4_0`, `q4_k`, … */
  quantize?: string;
  /** Look among the files kept on this device first. Default true. */
  cache?: boolean;
  /**
   * How many threads compute on the CPU, 1 to 64, where the page is cross-origin isolated; elsewhere one does. Default: as
   * many as the processor has, up to 8.
   */
  threads?: number;
  /**
   * Prove on a small model with known answers that the graphics adapter computes right, once for an adapter and a build.
   * Default true.
   */
  selfTest?: boolean;
  /**
   * The half of a model that sees, where it is a file of its own (`mmproj`, GGUF): a URL, `hf:owner/repo/file`, or the file itself. Beside
   * a model in a list of files or in a repository it is found by itself.
   */
  projector?: string | URL | Blob | ArrayBuffer | ArrayBufferView;
}

/** Sampling parameters that hold where a request leaves them out. */
export type Recommendation = { [field in keyof Sampling]?: number };

/** The numbers of a request that decide how tokens are drawn. */
export interface Sampling {
  /** 0 is greedy. */
  temperature: number;
  top_k: number;
  top_p: number;
  min_p: number;
  repetition_penalty: number;
  frequency_penalty: number;
  presence_penalty: number;
  /** How many of the answer's last tokens the three penalties look at; 0: the whole answer, -1: the prompt too. */
  penalty_last_n: number;
}

export interface LoadOptions extends ProbeOptions {
  /** Holds where a request leaves it out; what is left out here too is the catalogue's or the file's, or else the usual. */
  sampling?: Recommendation;
  onProgress?: (progress: Progress) => void;
  /** `sha256-` and the hash of the weights file, in base64 or hexadecimal. */
  integrity?: string;
  /** A LoRA adapter that requests use unless they name another or null: it is called `default`. */
  adapter?: AdapterSource;
  /**
   * The engine of a speech model, which writes down the recordings of this one's chats (`input_audio`). Where it is left out, that of
   * this page which was loaded last.
   */
  speech?: Engine | null;
}

/**
 * A LoRA adapter: a URL of a folder as PEFT or mlx-lm saves it, of a `.safetensors` or of a GGUF adapter,
 * `hf:owner/repo[/file][@revision]`, or the files themselves (`adapter_config.json` with the weights).
 */
export type AdapterSource = string | URL | Blob | Iterable<Blob> | FileList | ArrayBuffer | ArrayBufferView;

export interface AdapterOptions {
  /** Stands for the `lora_alpha` of the adapter's files; needed where they say none. */
  alpha?: number;
  /** Requests that name no adapter use this one. */
  default?: boolean;
  cache?: boolean;
  integrity?: string;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

export interface Adapter {
  name: string;
  /** The highest rank of its matrices. */
  rank: number;
  /** On the device. */
  bytes: number;
  default: boolean;
}

/** LoRA adapters beside a loaded model; its own weights are never touched. */
export interface Adapters {
  /** From then on requests may say `adapter: name`. */
  load(name: string, source: AdapterSource, options?: AdapterOptions): Promise<void>;
  list(): Promise<Adapter[]>;
  /** Gives its memory back. */
  unload(name: string): Promise<void>;
}

/**
 * Why the CPU computes: no adapter answers, or it gives no device; the adapter is itself emulated on the processor; the
 * self-test found that it computes wrongly; it was measured beside the CPU and is slower for this model.
 */
export type NoGpu = 'unavailable' | 'software' | 'wrong-results' | 'slower';

export interface DeviceFacts {
  backend: 'webgpu' | 'cpu';
  vendor: string;
  architecture: string;
  description: string;
  /** Driver with its version, and what compiles shaders for Direct3D 12; natively only. */
  driver?: string;
  compiler?: string;
  /** The adapter is emulated on the processor. */
  software: boolean;
  /** Why `auto` chose this device, where it did not take the graphics adapter. */
  reason?: string;
  /** The same for programs. */
  reasonCode?: NoGpu;
  /** How many threads compute; on the CPU only. */
  threads?: number;
  features: string[];
  limits: Record<string, number>;
}

export type ObstacleCode = 'MODEL_FORMAT' | 'MODEL_UNSUPPORTED' | 'OUT_OF_MEMORY' | 'INVALID_REQUEST';

/** What bounds the memory: a page's on the CPU, one binding of a graphics device, that device, free memory, addresses. */
export type MemoryLimit = 'page' | 'binding' | 'device' | 'memory' | 'platform';

/** What stands in a model's way: the error that loading it would end in. */
export interface Obstacle {
  code: ObstacleCode;
  message: string;
  /**
   * What the sentence is about, as of a CressetError. Of OUT_OF_MEMORY: `neededMegabytes`, the `limit` (`MemoryLimit`), and
   * `limitMegabytes` where it is known.
   */
  details: Record<string, unknown>;
}

export interface Fit {
  fits: boolean;
  /** Why it does not fit. */
  reason?: string;
  /** Everything that stands in the way; the first is the reason. */
  problems?: string[];
  /** The same, in the same order, for programs. */
  errors?: Obstacle[];
  /** Null where the file does not say. */
  architecture: string | null;
  parameters: number;
  quantization: string;
  downloadBytes: number;
  /** Absent where the file does not say enough. */
  contextLength?: number;
  deviceBytes?: number;
  shape?: ModelShape;
  /** Null where it cannot be told. */
  estimatedTokensPerSecond: number | null;
  /** What was measured for it, in seconds: reading a weight in the model's format, and a dispatch. Absent where it does not fit. */
  pace?: { weight: number; dispatch: number };
  device: DeviceFacts;
}

/** A model's sizes: columns between blocks, blocks, heads, heads of keys and values, columns of a head, … */
export interface ModelShape {
  dModel: number;
  nLayers: number;
  /** A list where a file's layers differ; so are the next, and `dFfn`. */
  nHeads: number | number[];
  nKvHeads: number | number[];
  headDim: number;
  /** Columns inside the feed-forward layer, or inside each expert. */
  dFfn: number | number[];
  vocabulary: number;
  /** Tokens that the model was made for. */
  context: number;
}

/** A model as a catalogue knows it: what `probe` once said of its file. */
export type KnownModel = Pick<Fit, 'quantization' | 'downloadBytes'> & { shape: ModelShape };

/** Of a known model what `probe` would say of the file; `deviceBytes` within a few per cent. */
export type Estimate = Pick<Fit, 'fits' | 'reason' | 'problems' | 'errors' | 'contextLength' | 'deviceBytes' | 'estimatedTokensPerSecond'>;

/** What was measured of a device: seconds by weight format, as in `Fit.pace`. */
export interface Measured {
  device: DeviceFacts;
  paces: Record<string, { weight: number; dispatch: number }>;
}

/** What loading a model would download. */
export interface Measure {
  /** Still to come; null where the server does not say. */
  bytes: number | null;
  /** On this device already: the whole model, or what an unfinished download left. */
  kept: number;
  /** The engine itself, as it travels; null where that cannot be told. */
  engineBytes: number | null;
  /** Where the weights come from; null of bytes that are given. The chat model of a site that leaves it out comes from the hub. */
  url: string | null;
}

export interface EngineInfo {
  /** Version and, behind it, what tells builds of the kernels apart. */
  build: string;
  model: {
    name: string;
    architecture: string;
    parameters: number;
    quantization: string;
    /** Tokens that the context holds now. */
    contextLength: number;
    /** Tokens that it may grow to hold; the same where the length was chosen. */
    contextLimit: number;
    vocabularySize: number;
    hasChatTemplate: boolean;
    /** Whether an encoder reads each text by itself, as for a translation; of a chat, what was said last. */
    encoderDecoder: boolean;
    /** Of a model that sees pictures: the tokens that each part of one takes. */
    vision?: { tokens: number };
  };
  /** What holds where a request leaves it out: recommended by the model's makers, or else usual. Null where it only embeds. */
  sampling: Sampling | null;
  device: DeviceFacts;
  /** Bytes by kind, and `total`. */
  memory: { weights: number; adapters: number; kv: number; activations: number; other: number; total: number };
  adapters: Adapter[];
  /** What decides about the last bit of a text: number formats and kernel variants in use. */
  variants: Variants;
}

export interface Variants {
  /** Number format of the KV cache. */
  kv: string;
  /** How products of few rows and of many are computed; absent on the processor. */
  matvec?: string;
  matmul?: string;
  /** How f16 numbers are read: `native`, or `by bits` where the adapter takes small ones for zero. */
  f16?: string;
  /** Whether a self-test has shown that they are right on this adapter. */
  proven?: boolean;
  /** What the self-test found to be wrong here, and so is not used. */
  demoted?: { variant: string; reason: string }[];
}

/** As in OpenAI's requests, null is the same as absent. */
export interface SamplingOptions {
  max_tokens?: number | null;
  /** OpenAI's newer name of it; it goes before the older one. */
  max_completion_tokens?: number | null;
  /** 0 is greedy. */
  temperature?: number | null;
  top_p?: number | null;
  top_k?: number | null;
  min_p?: number | null;
  /** The same request with the same seed gives the same text on the same device. */
  seed?: number | null;
  stop?: string | string[] | null;
  /** How many answers, up to 16. */
  n?: number | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  repetition_penalty?: number | null;
  /** How many of the answer's last tokens the three penalties look at; 0: the whole answer, -1: the prompt too. Usual: 64. */
  penalty_last_n?: number | null;
  logit_bias?: Record<string, number> | null;
  ignore_eos?: boolean;
  /** Name of a loaded adapter; null is the model as it is, absent the one it was loaded with. */
  adapter?: string | null;
  min_tokens?: number | null;
  /** Models with an encoder: texts that grow side by side in a search for the likeliest, 1 to 16; absent, as the model's files say. */
  num_beams?: number | null;
  /** In a search, a text's score is divided by its length to this power. */
  length_penalty?: number | null;
  /** In a search, end as soon as `num_beams` texts have ended. */
  early_stopping?: boolean | null;
  /** False computes the whole prompt anew, whatever the cache holds of it; for measuring. */
  cache_prompt?: boolean;
  /** Adds `token_ids` to each choice. */
  return_token_ids?: boolean;
  /** vLLM's: `false` leaves control tokens in the text. */
  skip_special_tokens?: boolean;
  response_format?: { type: 'text' };
  stream?: boolean | null;
  stream_options?: { include_usage?: boolean } | null;
  /** As OpenAI's clients send them; the loaded model answers, whoever asks. */
  model?: string;
  user?: string;
  /** Aborting it ends the request with the error ABORTED; nothing more arrives. */
  signal?: AbortSignal | null;
}

/** How far a request is. */
export interface RequestProgress {
  /** The prompt is read; the context grew, so that prompt and answer fit it; a recording is heard. */
  status: 'prompt' | 'context' | 'sound';
  /** Tokens that were read, or that an earlier request had read already; tokens that the context holds; frames of 10 ms that were heard. */
  loaded: number;
  /** All tokens of the prompt; tokens that the context may grow to hold; all frames. */
  total: number;
  /** 0 to 1. */
  fraction: number;
  /** One line for people. */
  text: string;
  /** At the pace of the last seconds; null while unknown. */
  secondsLeft: number | null;
}

/** What stands beside a request. */
export interface RequestOptions {
  /** Of chats and completions: is told how far the prompt is read; of recordings, how far they are heard. */
  onProgress?: (progress: RequestProgress) => void;
  /** As in the request itself; with both, either ends it. */
  signal?: AbortSignal | null;
}

export interface CompletionRequest extends SamplingOptions {
  prompt: string | number[];
  /** How many alternatives to report for each token. */
  logprobs?: number | null;
}

export interface ToolCall {
  id: string;
  type: 'function';
  /** `arguments` is the text of a JSON object. */
  function: { name: string; arguments: string };
}

/** A text, or parts in order: texts, for models that see pictures, and beside a speech model recordings. */
export type Content = string | (TextPart | PicturePart | AudioPart)[];

export interface TextPart {
  type: 'text';
  text: string;
}

/** A picture in a message. */
export interface PicturePart {
  type: 'image_url';
  image_url: Picture | { url: Picture; detail?: 'auto' | 'low' | 'high' };
}

/**
 * A recording in a message: what is said in it takes its place, as the speech model beside writes it down. `data`: base64, or what
 * `audio.transcriptions` takes as `file`; `format`: `wav`, `mp3`, or another one that the browser plays.
 */
export interface AudioPart {
  type: 'input_audio';
  input_audio: Sound | { data: string | Sound; format?: string };
}

/**
 * A picture: an address (`data:`, `blob:`, of this site, or of one that allows it by CORS), or what the platform has it as. In any
 * format that the browser shows; of a moving one, the first. What is transparent shows white.
 */
export type Picture = string | Blob | ImageData | ImageBitmap;

export type ChatMessage =
  | { role: 'system' | 'developer' | 'user'; content: Content; name?: string }
  | {
      role: 'assistant';
      /** Null where it only calls tools. */
      content?: Content | null;
      name?: string;
      tool_calls?: ToolCall[];
      /** What the assistant thought, for templates that show it. */
      reasoning_content?: string | null;
    }
  | {
      role: 'tool';
      content: Content;
      /** Which call it answers. */
      tool_call_id: string;
    };

export interface Tool {
  type: 'function';
  /** `parameters` is a JSON schema. */
  function: { name: string; description?: string; parameters?: Record<string, unknown> };
}

/** What a chat's prompt is made from besides its messages. */
export interface TemplateOptions {
  /** Shown to the model, if its template has a place for them; calls come back as `tool_calls`. */
  tools?: Tool[];
  /** `'required'` and a function by name begin the answer with a call, for models whose way of calling is known. */
  tool_choice?: 'auto' | 'none' | 'required' | { type: 'function'; function: { name: string } };
  /** Texts to answer from, for templates that know retrieval. */
  documents?: Record<string, unknown>[];
  /** One of the model's templates, one of ours (`chatml`, `llama-3`, …), or Jinja. */
  chat_template?: string;
  /** Further variables of the template. */
  chat_template_kwargs?: Record<string, unknown>;
  /** For models that think aloud, or don't, as their template is told. */
  enable_thinking?: boolean;
  reasoning_effort?: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh';
  /** Control tokens in the words of users, tools and documents count as such, instead of being text. */
  allow_special?: boolean;
  /** Default true: the prompt ends with the beginning of the assistant's turn. */
  add_generation_prompt?: boolean;
  /** The answer goes on with the last message's own words. */
  continue_final_message?: boolean;
}

export interface ChatRequest extends SamplingOptions, TemplateOptions {
  messages: ChatMessage[];
  logprobs?: boolean | null;
  /** How many alternatives to report for each token, with `logprobs`. */
  top_logprobs?: number | null;
  parallel_tool_calls?: true;
  modalities?: 'text'[] | null;
}

/** An answer's message. */
export interface AssistantMessage {
  role: 'assistant';
  content: string | null;
  tool_calls?: ToolCall[];
}

/** What is new in a stream. A tool call comes in one piece. */
export interface Delta {
  role?: 'assistant';
  content?: string;
  tool_calls?: (ToolCall & { index: number })[];
}

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'abort';

/** A token with the natural logarithm of its probability. */
export interface Logprob {
  token: string;
  logprob: number;
  bytes: number[];
}

export interface ChatLogprobs {
  content: (Logprob & { top_logprobs: Logprob[] })[];
}

/** One entry a token in each list. */
export interface CompletionLogprobs {
  tokens: string[];
  token_logprobs: number[];
  top_logprobs: Record<string, number>[];
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** Tokens of the prompt that an earlier request had computed already. */
  prompt_tokens_details?: { cached_tokens: number };
  /** Beyond OpenAI's. */
  extra?: {
    prefill_tokens_per_s: number;
    decode_tokens_per_s: number;
    time_to_first_token_s: number;
    cached_tokens: number;
    /** The answer repeated itself endlessly and was stopped; `finish_reason` is then `length`. */
    stopped_by?: 'repetition';
  };
}

export interface Completion {
  id: string;
  object: 'text_completion';
  created: number;
  model: string;
  choices: { index: number; text: string; logprobs?: CompletionLogprobs | null; finish_reason: FinishReason | null; token_ids?: number[] }[];
  usage?: Usage;
}

export interface ChatCompletion {
  id: string;
  object: 'chat.completion';
  created: number;
  model: string;
  choices: { index: number; message: AssistantMessage; logprobs?: ChatLogprobs | null; finish_reason: FinishReason; token_ids?: number[] }[];
  usage: Usage;
}

export interface ChatCompletionChunk {
  id: string;
  object: 'chat.completion.chunk';
  created: number;
  model: string;
  choices: { index: number; delta: Delta; logprobs?: ChatLogprobs | null; finish_reason: FinishReason | null; token_ids?: number[] }[];
  usage?: Usage;
}

export interface EmbeddingRequest {
  /** A text, token ids, or a list of either; for an encoder of pictures such as DINOv2, `{ image }` or a list of those. */
  input: string | ArrayLike<number> | (string | ArrayLike<number>)[] | { image: Picture } | { image: Picture }[];
  encoding_format?: 'float' | 'base64';
  /** The first so many numbers of each vector, for models trained so. */
  dimensions?: number;
  /** Cut longer texts to so many tokens; otherwise they end in CONTEXT_OVERFLOW. */
  truncate_prompt_tokens?: number;
  /** What of a text's tokens becomes its vector; the model says, unless this does. */
  pooling?: 'mean' | 'cls' | 'last' | 'max' | 'mean_sqrt_len';
  /** Vectors of length 1. Default true. */
  normalize?: boolean;
  /** As OpenAI's clients send them; the loaded model answers, whoever asks. */
  model?: string;
  user?: string;
  signal?: AbortSignal | null;
}

export interface Embeddings {
  object: 'list';
  data: { object: 'embedding'; index: number; embedding: number[] | string }[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}

/** The chunks of an answer, to be read once, in the manner of OpenAI's `Stream`. Leaving the loop early ends the request. */
export declare class Stream<Chunk> implements AsyncIterable<Chunk> {
  private constructor();
  /** Aborting it ends the request, and the stream without an error. */
  readonly controller: AbortController;
  /** Two streams that have all chunks each. */
  tee(): [Stream<Chunk>, Stream<Chunk>];
  /** Bytes in UTF-8: each chunk as a line of JSON. */
  toReadableStream(): ReadableStream<Uint8Array>;
  /** A stream again of what `toReadableStream` gave. */
  static fromReadableStream<Chunk>(bytes: ReadableStream<Uint8Array>, controller?: AbortController): Stream<Chunk>;
  [Symbol.asyncIterator](): AsyncIterableIterator<Chunk>;
}

interface Create<Request, Whole, Chunk> {
  create(request: Request & { stream: true }, options?: RequestOptions): Promise<Stream<Chunk>>;
  create(request: Request & { stream?: false | null }, options?: RequestOptions): Promise<Whole>;
  create(request: Request, options?: RequestOptions): Promise<Stream<Chunk> | Whole>;
}

/** A recording: a Blob in a format that the browser plays, decoded sound, or samples of one channel. */
export type Sound = Blob | AudioBuffer | { samples: Float32Array; sample_rate: number };

/** Sound that goes on, such as a microphone's: with `stream: true` it is written down while it comes. */
export type LiveSound = MediaStream;

export interface TranslationRequest {
  file: Sound;
  /** Text that is taken to stand before the recording: names, spelling. */
  prompt?: string | null;
  /** 0 to 1. Unless it is given, 0, and higher where the model is not sure. */
  temperature?: number | null;
  /** Default `json`. Subtitles and plain text are strings. */
  response_format?: 'json' | 'verbose_json' | 'text' | 'srt' | 'vtt' | null;
  /** As OpenAI's clients send it; the loaded model answers, whoever is asked. */
  model?: string;
  signal?: AbortSignal | null;
}

export interface TranscriptionRequest extends TranslationRequest {
  /** A code such as `en` or `pt-BR`, or a name in English; unless it is given, it is heard from the recording's beginning. */
  language?: string | null;
  /** With `verbose_json`: whether passages, words or both have times; passages unless it is given. Words need an answer that does not stream. */
  timestamp_granularities?: ('word' | 'segment')[] | null;
}

/** Of `json`; those of `verbose_json` have more. */
export interface Transcription {
  text: string;
  usage: { type: 'duration'; seconds: number };
}

export interface TimedTranscription extends Transcription {
  task: 'transcribe' | 'translate';
  /** Its name in English; null where nothing is said. */
  language: string | null;
  /** Seconds. */
  duration: number;
  /** Where `timestamp_granularities` asks for them. */
  words?: TranscriptionWord[];
}

export interface VerboseTranscription extends TimedTranscription {
  segments: TranscriptionSegment[];
}

export interface TranscriptionWord {
  /** With its punctuation. */
  word: string;
  /** Seconds. */
  start: number;
  /** Seconds. */
  end: number;
}

export interface TranscriptionSegment {
  id: number;
  /** Where its window begins, in frames of 10 ms. */
  seek: number;
  /** Seconds. */
  start: number;
  /** Seconds. */
  end: number;
  text: string;
  tokens: number[];
  temperature: number;
  avg_logprob: number;
  compression_ratio: number;
  no_speech_prob: number;
}

/** Of a stream: what a passage adds, and at the end all of it. */
export type TranscriptionEvent =
  { type: 'transcript.text.delta'; delta: string } | { type: 'transcript.text.done'; text: string; usage: { type: 'duration'; seconds: number } };

/**
 * Of sound that goes on. A delta is settled: deltas are added one to the other, and nothing of them changes. `partial` is the newest
 * reading of what is not settled yet; each takes the place of the one before, and an empty one of none. `done` comes once all tracks of
 * the MediaStream have ended.
 */
export type LiveEvent = TranscriptionEvent | { type: 'transcript.text.partial'; text: string };

interface Hear<Request extends TranslationRequest> {
  /**
   * Sound that goes on. Ending its tracks ends the transcript, with all that was said; aborting ends it at once, without what is not
   * settled. The tracks stay the caller's: nothing here stops them.
   */
  create(request: Omit<Request, 'file'> & { file: LiveSound; stream: true }, options?: Pick<RequestOptions, 'signal'>): Promise<Stream<LiveEvent>>;
  create(request: Request & { stream: true }, options?: RequestOptions): Promise<Stream<TranscriptionEvent>>;
  create(
    request: Request & { stream?: false | null; response_format: 'verbose_json'; timestamp_granularities: ['word'] },
    options?: RequestOptions,
  ): Promise<TimedTranscription>;
  create(request: Request & { stream?: false | null; response_format: 'verbose_json' }, options?: RequestOptions): Promise<VerboseTranscription>;
  create(request: Request & { stream?: false | null; response_format: 'text' | 'srt' | 'vtt' }, options?: RequestOptions): Promise<string>;
  create(request: Request & { stream?: false | null; response_format?: 'json' | null }, options?: RequestOptions): Promise<Transcription>;
}

/** A loaded model, in a worker of its own. Requests run one after another. */
export interface Engine {
  /** As it was when the model, or the last adapter, was loaded. */
  readonly info: EngineInfo;
  readonly chat: { readonly completions: Create<ChatRequest, ChatCompletion, ChatCompletionChunk> };
  readonly completions: Create<CompletionRequest, Completion, Completion>;
  /** For models that make vectors of texts; others answer INVALID_REQUEST. */
  readonly embeddings: { create(request: EmbeddingRequest, options?: RequestOptions): Promise<Embeddings> };
  /** For speech models such as Whisper; others answer INVALID_REQUEST. */
  readonly audio: {
    /** What is said, in its own language. */
    readonly transcriptions: Hear<TranscriptionRequest>;
    /** What is said, in English; for models that know several languages. */
    readonly translations: Hear<TranslationRequest>;
  };
  readonly adapters: Adapters;
  tokenize(text: string): Promise<number[]>;
  detokenize(ids: ArrayLike<number>): Promise<string>;
  /** The prompt as it would be read, with as many placeholders for each picture as it takes tokens. */
  applyChatTemplate(messages: ChatMessage[], options?: TemplateOptions): Promise<string>;
  /** Measures the loaded model with prompts of made-up tokens. */
  bench(options?: BenchOptions): Promise<BenchReport>;
  /** Counters of requests, of device work, and of devices that were lost and replaced (`rebuilds`). */
  stats(): Promise<Record<string, unknown>>;
  /** Ends the running request normally, with `finish_reason: 'abort'`. */
  interrupt(): Promise<void>;
  unload(): Promise<void>;
}

export interface BenchOptions {
  /** Tokens of the prompt; default 128. */
  prompt?: number;
  /** Tokens to generate, two at least; default 64. */
  generate?: number;
  /** Runs of which the median counts; default 5. */
  repeat?: number;
  /** Time each kernel as well. */
  profile?: boolean;
  /** Measure what the graphics adapter could do at most as well. */
  ceilings?: boolean;
}

export interface BenchReport {
  prompt_tokens: number;
  generated_tokens: number;
  runs: number;
  prefill_tokens_per_s: number;
  decode_tokens_per_s: number;
  time_to_first_token_s: number;
  dispatches_per_token: number;
  submits_per_token: number;
  bytes_read_per_token: number;
  /** Buffers, bind groups and pipelines made in a whole run. */
  objects_made: number;
  weight_bytes: number;
  /** On a graphics adapter. */
  ceilings?: { stream_gb_per_s: number; fma_gflop_per_s: number; dispatch_us: number; readback_us: number };
  /** Of the adapter's reading, and of its arithmetic, what decoding and the prompt come to. */
  share_of_stream?: number;
  share_of_fma?: number;
  prefill_kernels?: KernelTime[];
  decode_kernels?: KernelTime[];
}

export interface KernelTime {
  kernel: string;
  dispatches: number;
  seconds: number;
}

export interface BundledModel {
  id: string;
  name: string;
  file: string;
  bytes: number;
  sha256?: string;
  description?: string;
  /** That its makers recommend. */
  sampling?: Recommendation;
  /** What it is for: `chat`, `stories`, … */
  tasks?: string[];
  /** The file that takes its place on sites that leave it out: a name that `load` knows, `hf:…`. */
  hub?: { model: string; bytes: number; sha256: string };
  /** Beginnings that the model continues well. */
  starters?: string[];
}

export interface StoredModel {
  model: string;
  /** On this device. */
  bytes: number;
  stored: string;
  files: { key: string; model: string; url: string; name: string; bytes: number; sha256?: string; stored: string }[];
  /** False where a download was paused or broke off: loading the model again goes on with it. */
  complete: boolean;
  /** Bytes of the whole, with `list({ partial: true })`; null where the server did not say. */
  total?: number | null;
}

export interface StorageUsage {
  /** Bytes of whole models. */
  models: number;
  /** Bytes of unfinished downloads. */
  partial: number;
  /** The browser's own account of this site; null where it gives none. */
  origin: number | null;
  quota: number | null;
  /** The browser will not clear them by itself. */
  persisted: boolean;
}

export declare const Cresset: {
  /**
   * Aborting `signal` during the download pauses it: what has arrived is kept, and loading the same model again goes on
   * behind it. Breaks are waited out; several tabs share one download.
   */
  load(model: Model, options?: LoadOptions): Promise<Engine>;
  probe(model: Model, options?: ProbeOptions): Promise<Fit>;
  /**
   * Judges a whole catalogue without a request: what each model takes here and about how fast it runs. Measures the device
   * once for each weight format, in well under a second; `measured`, an earlier answer, spares that on the same device.
   */
  estimate(
    models: readonly KnownModel[],
    options?: Pick<ProbeOptions, 'signal' | 'device' | 'contextLength' | 'kv' | 'threads'> & { measured?: Measured | null },
  ): Promise<Measured & { models: Estimate[] }>;
  /** How much `load` would download. Asks the model's host for sizes, reads nothing of the model, starts no engine. */
  measure(model: Model, options?: Pick<ProbeOptions, 'signal' | 'cache'>): Promise<Measure>;
  readonly models: readonly BundledModel[];
  readonly cache: {
    /** Whole models, newest first; with `partial` those too whose download is unfinished. */
    list(options?: { partial?: boolean }): Promise<StoredModel[]>;
    /** By the name the model was loaded with, or a file's URL; whole or unfinished. False when there was none. */
    delete(model: string): Promise<boolean>;
    clear(): Promise<void>;
    usage(): Promise<StorageUsage>;
    /** Asks the browser not to clear models when the device runs short; some browsers ask the visitor. */
    persist(): Promise<boolean>;
  };
};

export type ErrorCode =
  | 'WEBGPU_UNAVAILABLE'
  | 'MODEL_NOT_FOUND'
  | 'MODEL_FORMAT'
  | 'MODEL_UNSUPPORTED'
  | 'OUT_OF_MEMORY'
  | 'CONTEXT_OVERFLOW'
  | 'DOWNLOAD'
  | 'INTEGRITY'
  | 'DEVICE_LOST'
  | 'INVALID_REQUEST'
  | 'TEMPLATE'
  | 'STORAGE'
  | 'ABORTED'
  | 'INTERNAL';

export declare class CressetError extends Error {
  readonly code: ErrorCode;
  readonly details: Record<string, unknown>;
}
