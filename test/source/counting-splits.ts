import { SourceError, silentLogger } from '../../src/core/index.ts'
import {
  type Fetched,
  FetchingSourceReader,
  type FetchingSourceReaderOptions,
  type Split,
  type SplitReader,
} from '../../src/source/index.ts'
import { SeededRandom, VirtualClock } from '../../src/testing/index.ts'

/** A split of the numbers 0 … `end`-1; records are texts such as `a:3`. */
export interface CountingSplit extends Split {
  readonly next: number
  /** Undefined: endless, but nothing beyond what `CountingService.available` says. */
  readonly end?: number | undefined
}

export const counting = (splitId: string, end?: number, next = 0): CountingSplit => ({ splitId, next, end })

export const recordBytes = 10

/** A service that answers when the test lets it, and can fail. */
export class CountingService implements SplitReader<string, CountingSplit> {
  /** Records per answer. */
  fetchRecords = 4
  /** Endless splits have this many records. */
  readonly available = new Map<string, number>()
  /** What the next fetches of a split fail with, in order. */
  readonly failures = new Map<string, Error[]>()
  /** Splits whose fetches wait until released. */
  readonly held = new Map<string, () => void>()
  readonly holding = new Set<string>()
  readonly fetches: string[] = []
  readonly finished: string[] = []
  readonly inFlight = new Set<string>()
  inFlightMax = 0
  released = 0
  closed = 0
  waitMs = 100
  fetchBytes = (): number => this.fetchRecords * recordBytes

  isFinished(split: CountingSplit): boolean {
    return split.end !== undefined && split.next >= split.end
  }

  onFinished(split: CountingSplit): void {
    this.finished.push(split.splitId)
  }

  async close(): Promise<void> {
    this.closed++
  }

  async fetch(split: CountingSplit, signal: AbortSignal): Promise<Fetched<string, CountingSplit>> {
    const { splitId } = split
    if (this.inFlight.has(splitId)) throw new Error(`two fetches of ${splitId}`)
    this.fetches.push(`${splitId}:${split.next}`)
    this.inFlight.add(splitId)
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight.size)
    try {
      if (this.holding.has(splitId)) await this.#hold(splitId, signal)
      else await undefined
      const failure = this.failures.get(splitId)?.shift()
      if (failure !== undefined) throw failure
      return this.#answer(split)
    } finally {
      this.inFlight.delete(splitId)
    }
  }

  release(splitId: string): void {
    this.holding.delete(splitId)
    this.held.get(splitId)?.()
  }

  #hold(splitId: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      this.held.set(splitId, () => {
        signal.removeEventListener('abort', abort)
        resolve()
      })
    })
  }

  #answer(split: CountingSplit): Fetched<string, CountingSplit> {
    const end = split.end ?? this.available.get(split.splitId) ?? 0
    const count = Math.max(0, Math.min(this.fetchRecords, end - split.next))
    const records = Array.from({ length: count }, (_, index) => `${split.splitId}:${split.next + index}`)
    return {
      records,
      bytes: count * recordBytes,
      waitMs: count === 0 ? this.waitMs : 0,
      recordBytes: () => recordBytes,
      splitAfter: (taken) => ({ ...split, next: split.next + taken }),
      originOf: (index) => ({ split: split.splitId, position: String(split.next + index) }),
      release: () => {
        this.released++
      },
    }
  }
}

export const throttled = (): SourceError => new SourceError('SOURCE_UNAVAILABLE', { message: 'too many requests' })

export const readerOf = (
  service: CountingService,
  options: Partial<FetchingSourceReaderOptions<string, CountingSplit>> & { clock?: VirtualClock } = {},
): { readonly reader: FetchingSourceReader<string, CountingSplit>; readonly clock: VirtualClock } => {
  const clock = options.clock ?? new VirtualClock()
  const reader = new FetchingSourceReader<string, CountingSplit>({
    splitReader: service,
    random: new SeededRandom(1),
    log: silentLogger,
    batchRecordsMax: 512,
    batchBytesMax: 65_536,
    ...options,
    clock,
  })
  return { reader, clock }
}

/** Polls until there is nothing without time passing. */
export const drain = async (
  reader: FetchingSourceReader<string, CountingSplit>,
  clock: VirtualClock,
): Promise<string[]> => {
  const taken: string[] = []
  for (let quiet = 0; quiet < 3; ) {
    await clock.yield()
    const result = reader.poll()
    if (result.kind === 'end') break
    if (result.kind === 'records') taken.push(...result.batch.records)
    quiet = result.kind === 'records' ? 0 : quiet + 1
  }
  return taken
}
