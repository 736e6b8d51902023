import type { HoleEntry, JournalEntry } from './batch-encoder.ts'
import type { Journal } from './journal.ts'
import { entryKinds, type TableEntry, tableEntryBytes } from './segment-format.ts'
import type { SnapshotFile, StreamExtent } from './snapshot-file.ts'
import type { StreamTable } from './stream-table.ts'

/** The most indexes one entry of a hole can name. */
const holeCountMax = 2 ** 32 - 1

/** Decides what of a damaged log goes into the new one, and keeps every index where it was. */
export class SalvageCopy {
  groups = 0
  facts = 0
  factsLost = 0
  readonly #journal: Journal
  readonly #table: StreamTable
  readonly #covered: number
  readonly #known: ReadonlyMap<number, StreamExtent> | undefined
  /** Ends with what is still to be written. */
  readonly #ends = new Map<number, number>()
  /** How many groups a stream may have lost since its last one that was found. */
  readonly #mayLack = new Map<number, number>()
  readonly #waiting: JournalEntry[] = []
  #last: number
  #lostBytes = 0
  #behind = false

  constructor(journal: Journal, table: StreamTable, snapshot: SnapshotFile | undefined) {
    this.#journal = journal
    this.#table = table
    this.#covered = snapshot?.sequence ?? 0
    this.#last = this.#covered
    this.#known =
      snapshot === undefined ? undefined : new Map(snapshot.streams.map((extent) => [extent.stream, extent]))
  }

  /** Bytes of the next segment, or of all of it, that say nothing any more. */
  lose(bytes: number): void {
    this.#lostBytes += bytes
  }

  /** False for a batch that was copied already: it stands twice when a segment took it over. */
  begin(sequence: number): boolean {
    if (sequence <= this.#covered) return true
    if (sequence <= this.#last) return false
    // Trims and drops behind the snapshot need the ends of its time.
    this.#waiting.push(...this.#leaveSnapshot())
    if (sequence > this.#last + 1) this.#gap()
    this.#last = sequence
    return true
  }

  wants({ kind, stream, index }: TableEntry, sequence: number): boolean {
    if (sequence > this.#covered) return kind !== entryKinds.group || index >= this.#endOf(stream)
    const extent = this.#known?.get(stream)
    if (kind !== entryKinds.group || extent === undefined || sequence < extent.bornAt) return false
    return index >= extent.begin && index < extent.end && index >= this.#endOf(stream)
  }

  /** What to write for an entry: a hole before it, when something is missing there. */
  take({ kind, stream, index, rawBytes }: TableEntry, entry: JournalEntry): JournalEntry[] {
    if (kind === entryKinds.fact) {
      this.facts++
      return [entry]
    }
    if (kind === entryKinds.trim) return [entry]
    if (kind === entryKinds.drop) {
      this.#ends.delete(stream)
      this.#mayLack.delete(stream)
      return [entry]
    }
    const holes = this.#holesTo(stream, index)
    this.#mayLack.delete(stream)
    if (kind === entryKinds.hole) return [...holes, ...this.#holesTo(stream, index + rawBytes)]
    this.groups++
    this.#ends.set(stream, index + 1)
    return [...holes, entry]
  }

  async write(entries: readonly JournalEntry[]): Promise<void> {
    await this.#journal.append([...this.#waiting.splice(0), ...entries])
  }

  async finish(): Promise<void> {
    if (this.#lostBytes > 0) this.#gap()
    this.#waiting.push(...this.#leaveSnapshot())
    for (const [stream, count] of this.#mayLack)
      this.#waiting.push(...this.#holesTo(stream, this.#endOf(stream) + count))
    await this.write([])
  }

  holes(): { readonly stream: number; readonly from: number; readonly to: number }[] {
    return [...this.#table.entries()].flatMap(([stream, { index }]) => index.gaps().map((gap) => ({ stream, ...gap })))
  }

  /** Every stream may have lost as many groups as entries fit into what is lost. */
  #gap(): void {
    const count = Math.ceil(this.#lostBytes / tableEntryBytes)
    this.#lostBytes = 0
    const streams = new Set([...this.#ends.keys(), ...(this.#known?.keys() ?? [])])
    for (const stream of streams) this.#mayLack.set(stream, (this.#mayLack.get(stream) ?? 0) + count)
  }

  #endOf(stream: number): number {
    return this.#ends.get(stream) ?? 0
  }

  #leaveSnapshot(): JournalEntry[] {
    if (this.#behind) return []
    this.#behind = true
    return [...(this.#known?.values() ?? [])].flatMap(({ stream, end }) => this.#holesTo(stream, end))
  }

  #holesTo(stream: number, to: number): HoleEntry[] {
    const holes: HoleEntry[] = []
    for (let index = this.#endOf(stream); index < to; ) {
      const count = Math.min(to - index, holeCountMax)
      holes.push({ kind: 'hole', stream, index, count })
      index += count
    }
    if (to > this.#endOf(stream)) this.#ends.set(stream, to)
    return holes
  }
}
