import { LRUCache } from 'lru-cache'
import { type Digest, errnoOf, type FileSystem, joinPath, type ReadableFile } from '../../core/index.ts'
import { segmentName } from './segment-files.ts'
import type { GroupPlace } from './stream-index.ts'

export interface BlockReaderOptions {
  readonly fs: FileSystem
  readonly digest: Digest
  readonly directory: string
  readonly cacheBytes: number
  readonly openFilesMax: number
}

/** A block that is not what was written. */
export class BadBlock {
  readonly place: GroupPlace
  readonly what: string

  constructor(place: GroupPlace, what: string) {
    this.place = place
    this.what = what
  }
}

interface OpenSegment {
  readonly file: Promise<ReadableFile>
  users: number
  /** Its segment is gone: it is closed as soon as nobody reads. */
  doomed: boolean
}

/** Neighbours this far apart are read at once: the bytes between cost less than another read. */
const gapBytesMax = 128 * 1024
const runBytesMax = 4 * 1024 * 1024
/** What a block costs in the cache besides its bytes. */
const cacheEntryBytes = 256

const keyOf = ({ segment, offset }: GroupPlace): number => segment * 2 ** 31 + offset

/** Reads blocks: from memory when they were written or read lately, else from their segments, verified each time. */
export class BlockReader {
  readonly #options: BlockReaderOptions
  readonly #cache: LRUCache<number, Uint8Array> | undefined
  /** Lately used ones last. */
  readonly #open = new Map<number, OpenSegment>()

  constructor(options: BlockReaderOptions) {
    this.#options = options
    if (options.cacheBytes > 0) {
      this.#cache = new LRUCache({
        maxSize: options.cacheBytes,
        sizeCalculation: (block) => block.length + cacheEntryBytes,
      })
    }
  }

  /** Keeps a block that was just written. */
  remember(place: GroupPlace, block: Uint8Array): void {
    this.#cache?.set(keyOf(place), block)
  }

  /** True when a block would be kept: then it is worth a copy. */
  get remembers(): boolean {
    return this.#cache !== undefined
  }

  /** The blocks in order, or the first one that is not what was written. */
  async read(places: readonly GroupPlace[]): Promise<Uint8Array[] | BadBlock> {
    const blocks = places.map((place) => this.#cache?.get(keyOf(place)))
    const missing = places.flatMap((place, position) => (blocks[position] === undefined ? [{ place, position }] : []))
    for (const run of runsOf(missing)) {
      const bad = await this.#readRun(run, blocks)
      if (bad !== undefined) return bad
    }
    return blocks.filter((block) => block !== undefined)
  }

  /** Closes a segment that is about to be removed. */
  forget(segment: number): void {
    const open = this.#open.get(segment)
    if (open === undefined) return
    open.doomed = true
    this.#closeIdle(segment, open)
  }

  async close(): Promise<void> {
    const closing = [...this.#open.values()].map(async ({ file }) => (await file).close())
    this.#open.clear()
    await Promise.allSettled(closing)
  }

  async #readRun(run: Run, blocks: (Uint8Array | undefined)[]): Promise<BadBlock | undefined> {
    const whole = await this.#readAt(run.segment, run.from, run.to - run.from)
    for (const { place, position } of run.wanted) {
      const start = place.offset - run.from
      let block = whole.subarray(start, start + place.length)
      let problem = this.#problemOf(block, place)
      if (problem !== undefined) {
        // Once more before a stream is taken out of service: the fault may lie on the way from the disk.
        block = await this.#readAt(place.segment, place.offset, place.length)
        problem = this.#problemOf(block, place)
        if (problem !== undefined) return new BadBlock(place, problem)
      }
      // A copy, unless it is all there is: a small block must not keep a large read in memory.
      const kept = block.length === block.buffer.byteLength ? block : block.slice()
      blocks[position] = kept
      this.#cache?.set(keyOf(place), kept)
    }
    return undefined
  }

  #problemOf(block: Uint8Array, place: GroupPlace): string | undefined {
    if (block.length < place.length)
      return `the file ends after ${block.length} of the ${place.length} bytes of a group`
    const crc = place.length === 0 ? 0 : this.#options.digest.crc32(block)
    return crc === place.crc ? undefined : `a group of ${place.length} bytes does not match its checksum`
  }

  async #readAt(segment: number, from: number, length: number): Promise<Uint8Array> {
    const open = this.#openSegment(segment)
    open.users++
    try {
      return await (await open.file).readAt(from, length)
    } catch (error) {
      // A file that is not there any more is a place that holds nothing.
      if (errnoOf(error) === 'ENOENT') return new Uint8Array(0)
      throw error
    } finally {
      open.users--
      this.#closeIdle(segment, open)
    }
  }

  #openSegment(segment: number): OpenSegment {
    const known = this.#open.get(segment)
    if (known !== undefined) {
      this.#open.delete(segment)
      this.#open.set(segment, known)
      return known
    }
    const { fs, directory } = this.#options
    const opened: OpenSegment = { file: fs.open(joinPath(directory, segmentName(segment))), users: 0, doomed: false }
    this.#open.set(segment, opened)
    opened.file.catch(() => {
      if (this.#open.get(segment) === opened) this.#open.delete(segment)
    })
    return opened
  }

  #closeIdle(segment: number, open: OpenSegment): void {
    if (open.doomed && open.users === 0) this.#closeOne(segment, open)
    for (const [other, idle] of this.#open) {
      if (this.#open.size <= this.#options.openFilesMax) break
      if (idle.users === 0) this.#closeOne(other, idle)
    }
  }

  #closeOne(segment: number, open: OpenSegment): void {
    if (this.#open.get(segment) === open) this.#open.delete(segment)
    open.file.then((file) => file.close()).catch(() => {})
  }
}

interface Wanted {
  readonly place: GroupPlace
  readonly position: number
}

/** Bytes of a segment that are read at once. */
interface Run {
  readonly segment: number
  readonly from: number
  to: number
  readonly wanted: Wanted[]
}

const runsOf = (missing: readonly Wanted[]): Run[] => {
  const runs: Run[] = []
  for (const wanted of missing) {
    const { segment, offset, length } = wanted.place
    const run = runs.at(-1)
    const near =
      run !== undefined &&
      run.segment === segment &&
      offset >= run.to &&
      offset - run.to <= gapBytesMax &&
      offset + length - run.from <= runBytesMax
    if (near) {
      run.to = offset + length
      run.wanted.push(wanted)
    } else {
      runs.push({ segment, from: offset, to: offset + length, wanted: [wanted] })
    }
  }
  return runs
}
