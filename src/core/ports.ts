/**
 * The outside, as interfaces. Production code takes the two or three it uses as arguments; `platform/` has the real
 * adapters and `testing/` the simulated ones, and both run the same contract tests.
 */

/** Takes back a timer or a registration. May be called twice. */
export type Cancel = () => void

export interface Clock {
  /** Milliseconds since 1970. For display and event time; never for timeouts, ids or ordering. */
  wallMs(): number
  /** Milliseconds that never go back. For timeouts, back-off and leases. */
  monoMs(): number
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `run` once after `ms`, unless cancelled. */
  timer(ms: number, run: () => void): Cancel
  /** Lets timers, sockets and signals have their turn. A macrotask, not a microtask. */
  yield(): Promise<void>
}

export interface Random {
  /** Uniform in [0, 1). */
  float(): number
  /** Uniform in [0, 2^32). */
  u32(): number
  /** A random name of 16 hex digits. */
  id(): string
}

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'other'
  readonly size: number
  readonly modifiedMs: number
  /** Device and inode: the same for two names of one file, kept across renames. */
  readonly fileId: string
}

export interface ReadableFile {
  /** Up to `length` bytes from `position`; fewer only at the end of the file. */
  readAt(position: number, length: number): Promise<Uint8Array>
  stat(): Promise<FileStat>
  /** Makes the content durable, also what others wrote. */
  sync(): Promise<void>
  close(): Promise<void>
}

export interface WritableFile {
  /** Bytes in the file. After a failed append it may be more than what was appended in whole calls. */
  readonly size: number
  append(bytes: Uint8Array): Promise<void>
  /** Cuts the file to `size` bytes: the way back after an append that failed part-way. */
  truncate(size: number): Promise<void>
  /** Makes the content durable; the name needs `syncDirectory`. After a failure the file must be given up. */
  sync(): Promise<void>
  close(): Promise<void>
}

/**
 * The smallest set of file operations whose crash behaviour can be stated. There is no overwrite in place.
 * Paths are separated by `/`. Failures reject with an `Error` whose `code` is the errno name, e.g. `ENOENT`, `EEXIST`,
 * `ENOSPC`.
 */
export interface FileSystem {
  /** A new empty file. `EEXIST` when the name is taken. */
  create(path: string): Promise<WritableFile>
  open(path: string): Promise<ReadableFile>
  stat(path: string): Promise<FileStat>
  /** Names in a directory, sorted by code unit. */
  list(directory: string): Promise<string[]>
  mkdir(path: string): Promise<void>
  rmdir(path: string): Promise<void>
  /** Replaces an existing file of the new name in one step. */
  rename(from: string, to: string): Promise<void>
  /** A second name for a file. `EEXIST` when the name is taken. */
  link(existing: string, created: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>
  freeBytes(path: string): Promise<number>
}

/** Keeps a directory for one process at a time, without a file that a crash could leave locked. */
export interface DirectoryLock {
  /**
   * Takes an existing directory until it is released or the process ends.
   * @throws StorageError `DIRECTORY_IN_USE` while another owner lives; it says which, where that is known.
   */
  acquire(directory: string): Promise<DirectoryOwnership>
}

export interface DirectoryOwnership {
  /** Gives the directory back. May be called twice. */
  release(): Promise<void>
}

export interface Hasher {
  update(bytes: Uint8Array): void
  /** The digest in lower-case hex. The hasher is spent. */
  hex(): string
}

export interface Digest {
  /** CRC-32 as in `node:zlib`; `previous` continues an earlier one. */
  crc32(bytes: Uint8Array, previous?: number): number
  sha256(): Hasher
  /** MD5 in 32 lower-case hex digits. No protection: the SLS wire asks for it (protocol paper, sections 2.2 and 10.1). */
  md5Hex(data: Uint8Array | string): string
  hmac(algorithm: 'sha1' | 'sha256', key: Uint8Array | string, data: Uint8Array | string): Uint8Array
}

/** Decompresses a stream piece by piece. */
export interface Inflater {
  /** Takes compressed bytes, gives the decompressed bytes they yield, in pieces of at most 64 KiB. */
  push(bytes: Uint8Array): AsyncIterable<Uint8Array>
  /** Throws when the stream stops before its end. */
  finish(): void
  close(): void
}

/** A codec for bodies that are whole in memory. */
export interface BlockCodec {
  compress(bytes: Uint8Array): Uint8Array
  /**
   * The decoded bytes: exactly `decodedSize` of them, and no more memory than that is ever taken for them.
   * @throws Error when the bytes cannot be decoded or give another size.
   */
  decompress(bytes: Uint8Array, decodedSize: number): Uint8Array
}

/** `lz4` is a raw block without frame or size, `zstd` a frame, `deflate` a zlib stream (SLS protocol paper, section 3.3). */
export type BlockCodecName = 'lz4' | 'zstd' | 'deflate'

export interface Compression {
  /** One complete gzip member; members written one after another form a valid file. */
  gzip(bytes: Uint8Array): Uint8Array
  gunzip(): Inflater
  /** Loaded on first use. */
  blockCodec(name: BlockCodecName): Promise<BlockCodec>
}

export interface HttpRequest {
  readonly method: string
  /** Path and query as they stand on the request line; in a server also the absolute form. */
  readonly target: string
  /** Names in lower case. Several values of one name are joined with `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface HttpResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** What a server does with a request, wherever that came from. Never rejects. */
export type HttpHandler = (request: HttpRequest, peer: { readonly address: string }) => Promise<HttpResponse>

export interface SendOptions {
  readonly signal?: AbortSignal | undefined
  /** For the whole exchange, from the call to the last byte of the answer. */
  readonly deadlineMs: number
  /** A longer answer is given up while it is read. */
  readonly responseBytesMax: number
}

/** The network, as a client of HTTP sees it. */
export interface Transport {
  /**
   * Sends a request to an origin such as `https://host:443`, which need not be the `host` header, and reads the answer
   * whole. Redirects are answers like any other.
   * @throws TransportError when there is no whole answer; its `kind` tells whether the request may have been carried out.
   */
  send(origin: string, request: HttpRequest, options: SendOptions): Promise<HttpResponse>
  close(): Promise<void>
}
