// Calls everything that cresset.d.ts and cresset-chat.d.ts declare, as a site would: tsc says whether it is still so. Nothing
// here is run. A field that goes, or changes its type, fails; `tests/browser/types.test.mjs` says whether one is missing here.

import { Cresset, CressetError, Stream } from '../../../www/cresset.js';
import type {
  Adapter,
  AudioPart,
  AdapterOptions,
  AdapterSource,
  Adapters,
  AssistantMessage,
  BenchOptions,
  BenchReport,
  BundledModel,
  ChatCompletion,
  ChatCompletionChunk,
  ChatLogprobs,
  ChatMessage,
  ChatRequest,
  Completion,
  CompletionLogprobs,
  CompletionRequest,
  Content,
  Delta,
  Device,
  DeviceFacts,
  EmbeddingRequest,
  Embeddings,
  Engine,
  EngineInfo,
  ErrorCode,
  Estimate,
  FinishReason,
  Fit,
  KernelTime,
  KnownModel,
  LiveEvent,
  LiveSound,
  LoadOptions,
  Logprob,
  Measure,
  Measured,
  MemoryLimit,
  Model,
  ModelShape,
  NoGpu,
  Obstacle,
  ObstacleCode,
  Picture,
  PicturePart,
  ProbeOptions,
  Progress,
  Recommendation,
  RequestOptions,
  RequestProgress,
  Sampling,
  SamplingOptions,
  Sound,
  StorageUsage,
  StoredModel,
  TemplateOptions,
  TextPart,
  TimedTranscription,
  Tool,
  ToolCall,
  Transcription,
  TranscriptionEvent,
  TranscriptionRequest,
  TranscriptionSegment,
  TranscriptionWord,
  TranslationRequest,
  Usage,
  Variants,
  VerboseTranscription,
} from '../../../www/cresset.js';
import type { CressetChat, CressetChatEventMap, WidgetMessage, WidgetModel } from '../../../www/cresset-chat.js';

/** Is what it says, and no `any`. */
function is<T>(..._values: (0 extends 1 & T ? never : T)[]): void {}

const { signal } = new AbortController();

const recommended: Recommendation = { temperature: 0.2, top_p: 0.9 };

export async function loading(file: Blob, list: FileList, bytes: ArrayBuffer): Promise<Engine> {
  const models: Model[] = ['default', new URL('https://example.org/a.gguf'), file, [file], list, bytes, new Uint8Array(bytes)];
  const devices: Device[] = ['auto', 'webgpu', 'cpu'];
  const probing: ProbeOptions = {
    projector: 'hf:owner/repo/mmproj.gguf',
    signal,
    device: devices[0],
    contextLength: 4096,
    kv: 'q8',
    quantize: 'q8_0',
    cache: true,
    threads: 4,
    selfTest: false,
  };
  const adapters: AdapterSource[] = ['hf:owner/adapter', new URL('https://example.org/lora/'), file, [file], list, bytes, new DataView(bytes)];
  const options: LoadOptions = { ...probing, onProgress: progress, integrity: 'sha256-…', adapter: adapters[0], sampling: recommended };
  fitting(await Cresset.probe(models[0], probing));
  estimating(
    await Cresset.estimate([{ shape: SHAPE, quantization: 'q8_0', downloadBytes: 1e8 }], {
      signal,
      device: 'cpu',
      contextLength: 256,
      kv: 'f16',
      threads: 2,
      measured: null,
    }),
  );
  measuring(await Cresset.measure(models[0], { signal, cache: false }));
  const speech = await Cresset.load('default');
  return Cresset.load(models[1], { ...options, speech });
}

function progress({ status, loaded, total, fraction, text, bytesPerSecond, secondsLeft, warning }: Progress): void {
  is<'probe' | 'download' | 'cache' | 'upload' | 'compile' | 'self-test' | 'ready'>(status);
  is<number>(loaded);
  is<number | null>(total, fraction);
  is<number | null | undefined>(bytesPerSecond, secondsLeft);
  is<string>(text);
  if (!warning) return;
  is<'DOWNLOAD' | 'STORAGE'>(warning.code);
  is<string>(warning.message);
  is<'broken' | 'offline' | 'waiting' | 'full' | 'unavailable' | 'busy'>(warning.details.reason);
}

function fitting({
  fits,
  reason,
  problems,
  errors,
  architecture,
  parameters,
  quantization,
  downloadBytes,
  contextLength,
  deviceBytes,
  estimatedTokensPerSecond,
  pace,
  shape,
  device,
}: Fit): void {
  is<boolean>(fits);
  is<string | undefined>(reason);
  is<string[] | undefined>(problems);
  is<string | null>(architecture);
  is<string>(quantization);
  is<number>(parameters, downloadBytes);
  is<number | undefined>(contextLength, deviceBytes, pace?.weight, pace?.dispatch);
  is<number | null>(estimatedTokensPerSecond);
  errors?.forEach(obstacle);
  facts(device);
  if (shape) {
    const known: KnownModel = { shape, quantization, downloadBytes };
    const { dModel, nLayers, nHeads, nKvHeads, headDim, dFfn, vocabulary, context }: ModelShape = known.shape;
    is<number>(dModel, nLayers, headDim, vocabulary, context);
    is<number | number[]>(nHeads, nKvHeads, dFfn);
  }
}

function estimating({ models, ...measured }: Measured & { models: Estimate[] }): void {
  const { device, paces }: Measured = measured;
  facts(device);
  is<number>(paces.q8_0.weight, paces.q8_0.dispatch);
  for (const { fits, reason, problems, errors, contextLength, deviceBytes, estimatedTokensPerSecond } of models) {
    is<boolean>(fits);
    is<string | undefined>(reason, problems?.[0], errors?.[0].message);
    is<number | undefined>(contextLength, deviceBytes);
    is<number | null>(estimatedTokensPerSecond);
  }
}

const SHAPE: ModelShape = { dModel: 64, nLayers: 2, nHeads: 4, nKvHeads: 2, headDim: 16, dFfn: 256, vocabulary: 512, context: 256 };

function obstacle({ code, message, details }: Obstacle): void {
  is<ObstacleCode>(code);
  is<'MODEL_FORMAT' | 'MODEL_UNSUPPORTED' | 'OUT_OF_MEMORY' | 'INVALID_REQUEST'>(code);
  is<string>(message);
  is<unknown>(details.neededMegabytes);
  is<MemoryLimit>('page', 'binding', 'device', 'memory', 'platform');
}

function facts({ backend, vendor, architecture, description, driver, compiler, software, reason, reasonCode, threads, features, limits }: DeviceFacts): void {
  is<'webgpu' | 'cpu'>(backend);
  is<string>(vendor, architecture, description);
  is<string | undefined>(driver, compiler, reason);
  is<NoGpu | undefined>(reasonCode, 'unavailable', 'software', 'wrong-results', 'slower');
  is<boolean>(software);
  is<number | undefined>(threads);
  is<string[]>(features);
  is<Record<string, number>>(limits);
}

function measuring({ bytes, kept, engineBytes, url }: Measure): void {
  is<number | null>(bytes, engineBytes);
  is<string | null>(url);
  is<number>(kept);
}

export function informing({ build, model, sampling, device, memory, adapters, variants }: EngineInfo): void {
  is<string>(build, model.name, model.architecture, model.quantization);
  is<number>(model.parameters, model.contextLength, model.contextLimit, model.vocabularySize);
  is<boolean>(model.hasChatTemplate, model.encoderDecoder);
  is<number | undefined>(model.vision?.tokens);
  is<number>(memory.weights, memory.adapters, memory.kv, memory.activations, memory.other, memory.total);
  is<Sampling | null>(sampling);
  facts(device);
  adapters.forEach(adapting);
  varying(variants);
}

export function drawing({ temperature, top_k, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty, penalty_last_n }: Sampling): void {
  is<number>(temperature, top_k, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty, penalty_last_n);
}

function varying({ kv, matvec, matmul, f16, proven, demoted }: Variants): void {
  is<string>(kv);
  is<string | undefined>(matvec, matmul, f16);
  is<boolean | undefined>(proven);
  demoted?.forEach(({ variant, reason }) => is<string>(variant, reason));
}

function adapting({ name, rank, bytes, default: usual }: Adapter): void {
  is<string>(name);
  is<number>(rank, bytes);
  is<boolean>(usual);
}

const sampling: SamplingOptions = {
  max_tokens: 100,
  max_completion_tokens: 100,
  temperature: 0.7,
  top_p: 0.9,
  top_k: 40,
  min_p: 0.05,
  seed: 1,
  stop: ['\n', 'END'],
  n: 2,
  frequency_penalty: 0.1,
  presence_penalty: 0.1,
  repetition_penalty: 1.1,
  penalty_last_n: 64,
  logit_bias: { 42: -100 },
  ignore_eos: false,
  adapter: null,
  min_tokens: 1,
  cache_prompt: true,
  return_token_ids: true,
  skip_special_tokens: false,
  response_format: { type: 'text' },
  stream_options: { include_usage: true },
  model: 'gpt-4o',
  user: 'somebody',
  signal,
};

const beside: RequestOptions = { signal, onProgress: reading };

function reading({ status, loaded, total, fraction, text, secondsLeft }: RequestProgress): void {
  is<'prompt' | 'context' | 'sound'>(status);
  is<number>(loaded, total, fraction);
  is<string>(text);
  is<number | null>(secondsLeft);
}

// Null is the same as absent, as in OpenAI's types.
is<SamplingOptions>({
  max_tokens: null,
  max_completion_tokens: null,
  temperature: null,
  top_p: null,
  seed: null,
  stop: null,
  n: null,
  frequency_penalty: null,
  presence_penalty: null,
  logit_bias: null,
  stream: null,
  stream_options: null,
  signal: null,
});

const tool: Tool = { type: 'function', function: { name: 'weather', description: 'Of a town', parameters: { type: 'object' } } };

const template: TemplateOptions = {
  tools: [tool],
  tool_choice: { type: 'function', function: { name: 'weather' } },
  documents: [{ title: 'A', text: 'B' }],
  chat_template: 'chatml',
  chat_template_kwargs: { a: 1 },
  enable_thinking: true,
  reasoning_effort: 'low',
  add_generation_prompt: true,
  allow_special: false,
  continue_final_message: false,
};

const call: ToolCall = { id: '1', type: 'function', function: { name: 'weather', arguments: '{}' } };

const words: TextPart = { type: 'text', text: 'Hi' };
const picture: Picture = new Blob();
const shown: PicturePart = { type: 'image_url', image_url: { url: picture, detail: 'low' } };
const recorded: AudioPart = { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } };
const content: Content = [words, shown, recorded, { type: 'input_audio', input_audio: new Blob() }, { type: 'image_url', image_url: 'a.png' }];

const messages: ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'developer', content: 'In English.' },
  { role: 'user', content, name: 'Ann' },
  { role: 'assistant', content: null, tool_calls: [call], reasoning_content: 'hm' },
  { role: 'assistant', tool_calls: [call] },
  { role: 'tool', content: 'rain', tool_call_id: '1' },
];

/** Both at once: a stream and a whole answer are two types, and a flag that is not known yet gives either. */
async function streaming<Whole, Chunk>(answer: Stream<Chunk> | Whole, whole: (answer: Whole) => void, chunk: (chunk: Chunk) => void): Promise<void> {
  if (!(answer instanceof Stream)) return whole(answer);
  is<AbortController>(answer.controller);
  const [left, right]: [Stream<Chunk>, Stream<Chunk>] = answer.tee();
  const bytes: ReadableStream<Uint8Array> = left.toReadableStream();
  is<Stream<Chunk>>(Stream.fromReadableStream<Chunk>(bytes, new AbortController()), Stream.fromReadableStream<Chunk>(bytes));
  for await (const each of right) chunk(each);
}

export async function completing(engine: Engine): Promise<void> {
  const request: CompletionRequest = { prompt: 'Once', ...sampling };
  const search: CompletionRequest = { prompt: 'Hello', num_beams: 4, length_penalty: 0.6, early_stopping: true };
  completion(await engine.completions.create({ ...search, stream: false }));
  completion(await engine.completions.create({ prompt: [1, 2], stop: 'x', ...template }));
  completion(await engine.completions.create({ ...request, stream: false }, beside));
  for await (const chunk of await engine.completions.create({ ...request, logprobs: 3, stream: true }, beside)) completion(chunk);
  await streaming(await engine.completions.create(request), completion, completion);
}

function completion({ id, object, created, model, choices, usage }: Completion): void {
  is<string>(id, model);
  is<'text_completion'>(object);
  is<number>(created);
  for (const { index, text, logprobs, finish_reason: finish, token_ids: ids } of choices) {
    is<number>(index);
    is<string>(text);
    is<CompletionLogprobs | null | undefined>(logprobs);
    is<string[] | undefined>(logprobs?.tokens);
    is<number[] | undefined>(logprobs?.token_logprobs);
    is<Record<string, number>[] | undefined>(logprobs?.top_logprobs);
    is<FinishReason | null>(finish);
    is<number[] | undefined>(ids);
  }
  using(usage);
}

function using(usage: Usage | undefined): void {
  if (!usage) return;
  is<number>(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens);
  is<number | undefined>(usage.prompt_tokens_details?.cached_tokens);
  const { extra } = usage;
  if (extra) is<number>(extra.prefill_tokens_per_s, extra.decode_tokens_per_s, extra.time_to_first_token_s, extra.cached_tokens);
  is<'repetition' | undefined>(extra?.stopped_by);
}

export async function chatting(engine: Engine): Promise<void> {
  const request: ChatRequest = { messages, ...sampling, ...template, logprobs: true, top_logprobs: 2, parallel_tool_calls: true, modalities: ['text'] };
  answered(await engine.chat.completions.create({ messages }));
  answered(await engine.chat.completions.create({ ...request, stream: false }, beside));
  answered(await engine.chat.completions.create({ ...request, stream: null }));
  for await (const chunk of await engine.chat.completions.create({ ...request, tool_choice: 'required', stream: true }, beside)) arriving(chunk);
  const flag: boolean = messages.length > 1;
  await streaming(await engine.chat.completions.create({ ...request, stream: flag }), answered, arriving);
  await streaming(await engine.chat.completions.create(request), answered, arriving);
  is<string>(await engine.applyChatTemplate(messages), await engine.applyChatTemplate(messages, template));
}

function answered({ id, object, created, model, choices, usage }: ChatCompletion): void {
  is<string>(id, model);
  is<'chat.completion'>(object);
  is<number>(created);
  for (const { index, message, logprobs, finish_reason: finish, token_ids: ids } of choices) {
    is<number>(index);
    said(message);
    messages.push(message);
    weighing(logprobs);
    is<'stop' | 'length' | 'tool_calls' | 'abort'>(finish);
    is<number[] | undefined>(ids);
  }
  using(usage);
}

function weighing(logprobs: ChatLogprobs | null | undefined): void {
  for (const { top_logprobs: top, ...token } of logprobs?.content ?? []) {
    for (const each of [token, ...top] satisfies Logprob[]) {
      is<string>(each.token);
      is<number>(each.logprob);
      is<number[]>(each.bytes);
    }
  }
}

function said({ role, content, tool_calls: calls }: AssistantMessage): void {
  is<'assistant'>(role);
  is<string | null>(content);
  is<ToolCall[] | undefined>(calls);
}

function arriving({ id, object, created, model, choices, usage }: ChatCompletionChunk): void {
  is<string>(id, model);
  is<'chat.completion.chunk'>(object);
  is<number>(created);
  for (const { index, delta, logprobs, finish_reason: finish, token_ids: ids } of choices) {
    is<number>(index);
    growing(delta);
    weighing(logprobs);
    is<FinishReason | null>(finish);
    is<number[] | undefined>(ids);
  }
  using(usage);
}

function growing({ role, content, tool_calls: calls }: Delta): void {
  is<'assistant' | undefined>(role);
  is<string | undefined>(content);
  is<number | undefined>(calls?.[0].index);
  is<string | undefined>(calls?.[0].function.arguments);
}

export function whatever(engine: Engine, stream: boolean) {
  return engine.chat.completions.create({ messages, stream });
}

export async function embedding(engine: Engine): Promise<void> {
  const request: EmbeddingRequest = {
    input: ['a', [1, 2], Int32Array.of(3)],
    encoding_format: 'base64',
    dimensions: 128,
    truncate_prompt_tokens: 256,
    pooling: 'cls',
    normalize: true,
    model: 'text-embedding-3-small',
    user: 'somebody',
    signal,
  };
  const { object, data, model, usage }: Embeddings = await engine.embeddings.create(request, beside);
  is<'list'>(object);
  is<string>(model);
  is<number>(usage.prompt_tokens, usage.total_tokens);
  await engine.embeddings.create({ input: [{ image: picture }] });
  for (const each of data) {
    is<'embedding'>(each.object);
    is<number>(each.index);
    is<number[] | string>(each.embedding);
  }
}

export async function recordings(engine: Engine, sounds: Sound[]): Promise<void> {
  const request: TranscriptionRequest = {
    file: new Blob(),
    language: 'de',
    prompt: 'Cresset',
    temperature: 0,
    response_format: 'json',
    timestamp_granularities: ['word', 'segment'],
    model: 'whisper-1',
    signal,
  };
  for (const file of [...sounds, { samples: new Float32Array(1), sample_rate: 16_000 }]) {
    const { text, usage }: Transcription = await engine.audio.transcriptions.create({ file }, beside);
    is<string>(text);
    is<'duration'>(usage.type);
    is<number>(usage.seconds);
  }
  const verbose: VerboseTranscription = await engine.audio.transcriptions.create({ ...request, stream: false, response_format: 'verbose_json' });
  is<'transcribe' | 'translate'>(verbose.task);
  is<string | null>(verbose.language);
  is<number>(verbose.duration);
  verbose.segments.forEach(hearing);
  verbose.words?.forEach(spoken);
  const { words }: TimedTranscription = await engine.audio.transcriptions.create({
    file: request.file,
    response_format: 'verbose_json',
    timestamp_granularities: ['word'],
  });
  words?.forEach(spoken);
  const { file, prompt, temperature, model }: TranslationRequest = request;
  is<string>(await engine.audio.translations.create({ file, prompt, temperature, model, response_format: 'srt' }));
  for await (const event of await engine.audio.translations.create({ file, stream: true })) heard(event);
}

function hearing({ id, seek, start, end, text, tokens, temperature, avg_logprob, compression_ratio, no_speech_prob }: TranscriptionSegment): void {
  is<number>(id, seek, start, end, temperature, avg_logprob, compression_ratio, no_speech_prob);
  is<string>(text);
  is<number[]>(tokens);
}

function spoken({ word, start, end }: TranscriptionWord): void {
  is<string>(word);
  is<number>(start, end);
}

export async function microphone(engine: Engine, file: LiveSound, signal: AbortSignal): Promise<void> {
  for await (const event of await engine.audio.transcriptions.create({ file, stream: true, language: 'en', prompt: 'Cresset' }, { signal })) live(event);
  for await (const event of await engine.audio.translations.create({ file, stream: true })) live(event);
}

function live(event: LiveEvent): void {
  if (event.type === 'transcript.text.partial') return is<string>(event.text);
  heard(event);
}

function heard(event: TranscriptionEvent): void {
  if (event.type === 'transcript.text.delta') return is<string>(event.delta);
  is<'transcript.text.done'>(event.type);
  is<string>(event.text);
  is<number>(event.usage.seconds);
}

export async function engines(engine: Engine): Promise<void> {
  const adapters: Adapters = engine.adapters;
  const options: AdapterOptions = { alpha: 16, default: true, cache: true, integrity: 'sha256-…', onProgress: progress, signal };
  await adapters.load('pirate', 'hf:owner/pirate', options);
  (await adapters.list()).forEach(adapting);
  await adapters.unload('pirate');
  informing(engine.info);
  is<number[]>(await engine.tokenize('text'));
  is<string>(await engine.detokenize([1]), await engine.detokenize(Int32Array.of(1)));
  is<Record<string, unknown>>(await engine.stats());
  await engine.interrupt();
  await engine.unload();
  const benching: BenchOptions = { prompt: 128, generate: 64, repeat: 5, profile: true, ceilings: true };
  const report: BenchReport = await engine.bench(benching);
  is<number>(
    report.prompt_tokens,
    report.generated_tokens,
    report.runs,
    report.prefill_tokens_per_s,
    report.decode_tokens_per_s,
    report.time_to_first_token_s,
    report.dispatches_per_token,
    report.submits_per_token,
    report.bytes_read_per_token,
    report.objects_made,
    report.weight_bytes,
  );
  is<number | undefined>(
    report.share_of_stream,
    report.share_of_fma,
    report.ceilings?.stream_gb_per_s,
    report.ceilings?.fma_gflop_per_s,
    report.ceilings?.dispatch_us,
    report.ceilings?.readback_us,
  );
  is<KernelTime[] | undefined>(report.prefill_kernels, report.decode_kernels);
  report.decode_kernels?.forEach(({ kernel, dispatches, seconds }) => {
    is<string>(kernel);
    is<number>(dispatches, seconds);
  });
}

export async function keeping(): Promise<void> {
  const bundled: readonly BundledModel[] = Cresset.models;
  for (const { id, name, file, bytes, sha256, description, starters, tasks, hub, sampling: own } of bundled) {
    is<string>(id, name, file);
    is<number>(bytes);
    is<string | undefined>(sha256, description);
    is<string[] | undefined>(starters, tasks);
    is<{ model: string; bytes: number; sha256: string } | undefined>(hub);
    is<Recommendation | undefined>(own);
  }
  const stored: StoredModel[] = [...(await Cresset.cache.list()), ...(await Cresset.cache.list({ partial: true }))];
  for (const { model, bytes, stored: since, files, complete, total } of stored) {
    is<string>(model, since);
    is<number>(bytes);
    is<boolean>(complete);
    is<number | null | undefined>(total);
    for (const each of files) {
      is<string>(each.key, each.model, each.url, each.name, each.stored);
      is<number>(each.bytes);
      is<string | undefined>(each.sha256);
    }
  }
  const { models, partial, origin, quota, persisted }: StorageUsage = await Cresset.cache.usage();
  is<number>(models, partial);
  is<number | null>(origin, quota);
  is<boolean>(persisted, await Cresset.cache.delete('model'), await Cresset.cache.persist());
  await Cresset.cache.clear();
}

export function failing(error: unknown): void {
  if (!(error instanceof CressetError)) return;
  const { code, details, message } = error;
  is<string>(message);
  is<Record<string, unknown>>(details);
  const words: Record<ErrorCode, string> = {
    WEBGPU_UNAVAILABLE: '',
    MODEL_NOT_FOUND: '',
    MODEL_FORMAT: '',
    MODEL_UNSUPPORTED: '',
    OUT_OF_MEMORY: '',
    CONTEXT_OVERFLOW: '',
    DOWNLOAD: '',
    INTEGRITY: '',
    DEVICE_LOST: '',
    INVALID_REQUEST: '',
    TEMPLATE: '',
    STORAGE: '',
    ABORTED: '',
    INTERNAL: '',
  };
  is<string>(words[code]);
}

export async function embeddingTheWidget(engine: Engine): Promise<void> {
  const chat: CressetChat = document.createElement('cresset-chat');
  const models: WidgetModel[] = ['default', { name: 'Large', model: 'hf:owner/large', megabytes: 400, integrity: 'sha256-…' }];
  Object.assign(chat, { engine, models });
  chat.engine = null;
  chat.messages = [{ role: 'user', content: 'Hi' }];
  chat.models = models;
  is<boolean>(chat.opened);
  await chat.open();
  is<WidgetMessage | null>(await chat.send('Hello'));
  chat.stop();
  chat.clear();
  chat.close();
  chat.addEventListener('cresset-ready', ({ detail }) => {
    if (detail.where === 'device') informing(detail.info);
    else is<string>(detail.host);
  });
  chat.addEventListener('cresset-progress', ({ detail }) => progress(detail));
  chat.addEventListener('cresset-message', ({ detail: { role, content, finish } }) => {
    is<'user' | 'assistant'>(role);
    is<string | (TextPart | PicturePart)[]>(content);
    is<FinishReason | null | undefined>(finish);
  });
  chat.addEventListener('cresset-error', ({ detail: { error } }) => failing(error));
  chat.addEventListener('click', () => {});
  is<keyof CressetChatEventMap>('cresset-ready', 'cresset-progress', 'cresset-message', 'cresset-error');
}

// @ts-expect-error a device that there is not
is<Device>('tpu');
// @ts-expect-error a request without a prompt
is<CompletionRequest>({ max_tokens: 1 });
// @ts-expect-error a role that there is not
is<ChatMessage>({ role: 'bot', content: 'Hi' });
// @ts-expect-error a tool's message that answers no call
is<ChatMessage>({ role: 'tool', content: 'rain' });
// @ts-expect-error a stream is no answer: a flag that is not known yet gives either
is<ChatCompletion>({} as Awaited<ReturnType<typeof whatever>>);
// @ts-expect-error a message of nobody
is<WidgetMessage>({ content: 'Hi' });
