import type { DirectoryLock, FileSystem } from '../../../src/core/index.ts'
import {
  type Entry,
  type LogStorage,
  openStorage,
  type Recovered,
  type StorageOptions,
  type StoredGroup,
  type StreamId,
  streamId,
} from '../../../src/logservice/storage/index.ts'
import { type MemoryEnvironment, memoryEnvironment, type SimDisk } from '../../../src/testing/index.ts'
import { simDirectoryLock } from '../../../src/testing/simulation/sim-directory-lock.ts'

export const directory = 'data/log'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export const bytesOf = (text: string): Uint8Array => encoder.encode(text)
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)

export const first: StreamId = streamId(1)
export const second: StreamId = streamId(2)

export const group = (stream: StreamId, text: string, receivedMs = 1000): Entry => ({
  kind: 'group',
  stream,
  receivedMs,
  rawBytes: text.length * 2,
  block: bytesOf(text),
})

export const fact = (text: string): Entry => ({ kind: 'fact', bytes: bytesOf(text) })

/** A machine with a disk on which storages are opened one after the other. */
export class Desk {
  readonly environment: MemoryEnvironment
  /** What the owner's state is when the storage asks for it. */
  state = 'state'
  fs: FileSystem
  #lives = 0
  #holder = { name: 'none', alive: false }

  constructor() {
    this.environment = memoryEnvironment()
    this.fs = this.environment.fs
  }

  get disk(): SimDisk {
    return this.environment.disk
  }

  /** What was opened before is as good as killed: nothing keeps the next one from taking the directory. */
  kill(): void {
    this.#holder.alive = false
  }

  /** Kills what was opened before, and opens. */
  open(options: Partial<StorageOptions> = {}): Promise<Recovered> {
    this.kill()
    this.#holder = { name: `p${this.#lives++}`, alive: true }
    const { clock, random, digest, log } = this.environment
    return openStorage({
      directory,
      fs: this.fs,
      clock,
      random,
      digest,
      log,
      lock: simDirectoryLock(this.disk, this.#holder),
      snapshot: () => bytesOf(this.state),
      reserveBytes: 0,
      ...options,
    })
  }

  /** The lock as another process sees it. */
  lockOf(name: string): DirectoryLock {
    return simDirectoryLock(this.disk, { name, alive: true })
  }

  names(): string[] {
    return this.disk.names(directory)
  }
}

export const readAll = async (storage: LogStorage, stream: StreamId, from = 0): Promise<readonly StoredGroup[]> => {
  const groups: StoredGroup[] = []
  for (let next = from; ; ) {
    const more = await storage.read(stream, next, {
      count: 7,
      rawBytesMax: 1000,
      before: Number.POSITIVE_INFINITY,
    })
    if (more.length === 0) return groups
    groups.push(...more)
    next = (more.at(-1)?.index ?? next) + 1
  }
}

export const texts = async (storage: LogStorage, stream: StreamId, from = 0): Promise<string[]> =>
  (await readAll(storage, stream, from)).map(({ index, block }) => `${index}:${textOf(block)}`)

export const streamsOf = (storage: LogStorage): StreamId[] => [...storage.streams()].sort((left, right) => left - right)
