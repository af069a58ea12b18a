// The shapes that cross the files of this folder, and what the worker has of them. They do not travel with the code.

import type { Progress, RequestProgress } from '../cresset.js';
import type { CressetError } from '../lib/errors.js';
import type { ArrivingFile } from './incoming.js';

export type Bytes = Uint8Array<ArrayBuffer>;

/** A file as the engine reads it. A read past the end gives the bytes there are. */
export interface Readable {
  name: string;
  size: number;
  read(offset: number, length: number): Promise<Bytes>;
}

/**
 * A model as it is sent to the worker: its name for people and for the cache, and where it lies, in one of four ways: what comes
 * along, an address, a repository of the hub, bytes.
 */
export interface Source {
  name: string;
  id?: string;
  url?: string;
  hub?: Repository;
  blobs?: Blob[];
  /** Of the blobs. */
  names?: (string | undefined)[];
  /** It is a LoRA adapter, whose files have other names. */
  adapter?: boolean;
  /** The half of the model that sees, where it is a file of its own. */
  projector?: Source;
}

export interface Repository {
  repo: string;
  revision: string;
}

interface FileFacts {
  name: string;
  /** That it must have: the build's list or the caller says so. */
  sha256?: string;
  /** The caller says so: what is kept is checked each time, whatever was noted about it. */
  demanded?: boolean;
  /** That its host says of the one that is there. */
  said?: string;
  bytes?: number;
  optional?: boolean;
  /** Wanted only where the file of this name is there. */
  onlyWith?: string;
  /** What `survey` found. */
  size?: number | null;
  absent?: boolean;
}

/** `key` names it in the cache. */
export type RemoteFile = FileFacts & { url: string; key: string; blob?: undefined };
export type LocalFile = FileFacts & { blob: Blob; url?: undefined; key?: undefined };
/** One file of a model. */
export type ModelFile = RemoteFile | LocalFile;
export type SurveyedFile = ModelFile & { size: number | null; kept: number; absent: boolean };

/** How to open. */
export interface Access {
  /** Name for the cache's list. */
  model: string;
  /** Keep files on this device, and use those kept. */
  cache: boolean;
  /** Only the beginning will be read: do not download what can be read by ranges. */
  headersOnly: boolean;
  /** Give the largest file before it is whole: an ArrivingFile. */
  early?: boolean;
  /** That file, while it is opened. */
  arriving?: ArrivingFile;
  signal?: AbortSignal;
  report: Report;
}

/** Bare progress: what `onProgress` gets is made of it (lib/progress.js). */
export interface BareProgress {
  status: Progress['status'] | RequestProgress['status'];
  loaded?: number;
  total?: number | null;
  warning?: Warning;
}

export type Warning = NonNullable<Progress['warning']>;

export type Report = (progress: BareProgress) => void;

/** The connection broke: it is tried again after so long; null: when the device is online again. */
export type OnWait = (error: CressetError, milliseconds: number | null) => void;

/** What is known about a kept file. `bytes` of a part are those that are here. */
export interface Entry {
  key: string;
  /** Name for people. */
  model: string;
  url: string;
  name: string;
  bytes: number;
  /** Of the whole file, where that was checked. */
  sha256?: string;
  /** A date. */
  stored: string;
}

/** What a server says about a file; null where it does not. Two answers about the same bytes have the same. */
export interface Facts {
  bytes: number | null;
  etag: string | null;
  lastModified: string | null;
}

/** What is written down about an unfinished file. */
export type PartFacts = Facts & Omit<Entry, 'bytes'>;
