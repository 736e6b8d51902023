import {
  asError,
  errnoOf,
  ignoreMissing,
  invariant,
  isMillraceError,
  joinPath,
  type RecordBatch,
  RecordError,
  SinkError,
  StepError,
} from '../../core/index.ts'
import type { SinkContext, SinkWriter, SinkWriterContext } from '../../sink/index.ts'
import { storageError } from './file-sink-failure.ts'
import type { FileSinkPlan } from './file-sink-plan.ts'
import { Room } from './file-sink-room.ts'
import { GrowableBytes } from './format-buffer.ts'
import { Part, type PartTools } from './part.ts'
import type { PartNames } from './part-name.ts'
import type { PartReceipt } from './part-receipt.ts'
import { PartitionDirectories } from './partition-directories.ts'
import { partitionProblem } from './partition-path.ts'

/** Parts closed at the same time at a barrier: syncs of several files share the disk's work. */
const sealedTogether = 8
/** Encoded bytes that all parts of a writer may hold together before they go to their files. */
const bufferedBytesMax = 4 << 20

interface FileSinkWriterParts<T> {
  readonly plan: FileSinkPlan<T>
  readonly names: PartNames
  readonly sink: SinkContext
  readonly writer: SinkWriterContext
}

/** Writes the records of one subtask into staged parts, one open part per partition. */
export class FileSinkWriter<T> implements SinkWriter<T, never, PartReceipt> {
  readonly #plan: FileSinkPlan<T>
  readonly #names: PartNames
  readonly #sink: SinkContext
  readonly #subtask: number
  readonly #tools: PartTools
  readonly #open = new Map<string, Part>()
  readonly #spareBuffers: GrowableBytes[] = []
  /** Parts to be closed before encoding goes on. */
  #due: Part[] = []
  #receipts: PartReceipt[] = []
  #last: Part | undefined
  #buffered = 0
  #uses = 0
  #nextNumber = 0
  #failure: Error | undefined

  constructor({ plan, names, sink, writer }: FileSinkWriterParts<T>) {
    this.#plan = plan
    this.#names = names
    this.#sink = sink
    this.#subtask = writer.subtask
    const { fs, clock, random, digest } = sink
    const log = sink.log.child({ step: sink.step, subtask: writer.subtask })
    const room = new Room({
      clock,
      random,
      fs,
      log,
      signal: writer.signal,
      waiting: (forWhat) => writer.waiting(forWhat),
      freeHandle: () => this.#freeHandle(),
    })
    let warned = false
    this.#tools = {
      fs,
      digest,
      compression: plan.compressed ? sink.compression : undefined,
      room,
      directories: new PartitionDirectories({ fs, room, root: plan.dir }),
      nextNames: () => {
        const number = this.#nextNumber++
        return { staged: names.staged(writer.subtask, number), final: names.final(writer.subtask, number) }
      },
      nameTaken: (path) => {
        if (!warned) log.warn({ path }, 'a part of this generation exists already; another number is taken')
        warned = true
      },
    }
  }

  /**
   * Makes the directory and proves that it can be written, so that a mistake shows at the start and not at the first
   * record.
   * @throws StorageError `STORAGE_REFUSED` naming the path and the fix.
   */
  async start(): Promise<void> {
    const { fs, room, directories } = this.#tools
    const { dir } = this.#plan
    await directories.makeRoot()
    // Numbers start behind those of a job that wrote here with this generation before its checkpoints were removed.
    for (const name of await room.run(dir, () => fs.list(dir))) {
      const known = this.#names.readFinal(name)
      if (known === undefined || known.generation !== this.#sink.generation || known.subtask !== this.#subtask) continue
      this.#nextNumber = Math.max(this.#nextNumber, known.number + 1)
    }
    // Named like a part: if the process dies here, it is removed like one.
    const probe = joinPath(dir, this.#names.staged(this.#subtask, this.#nextNumber))
    const made = await room.run(probe, async () => {
      try {
        await (await fs.create(probe)).close()
        return true
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') return false
        throw error
      }
    })
    if (made) await room.run(probe, () => ignoreMissing(fs.unlink(probe)))
  }

  write(batch: RecordBatch<T>): Promise<void> | void {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    try {
      const next = this.#encode(batch, 0)
      if (next === batch.records.length && this.#due.length === 0 && !this.#isFull()) return
      return this.#latched(this.#writeRest(batch, next))
    } catch (error) {
      return Promise.reject(this.#fail(error))
    }
  }

  async flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    await this.#latched(this.#stageAll())
  }

  prepareCommit(): readonly PartReceipt[] {
    invariant(this.#open.size === 0, 'every part is staged when receipts are given out')
    const receipts = this.#receipts
    this.#receipts = []
    return receipts
  }

  async close(): Promise<void> {
    this.#failure ??= new SinkError('SINK_UNAVAILABLE', { message: 'the writer is closed' })
    const parts = [...this.#open.values()]
    this.#open.clear()
    this.#last = undefined
    for (const part of parts) await part.abandon()
  }

  async #writeRest(batch: RecordBatch<T>, from: number): Promise<void> {
    for (let next = from; ; next = this.#encode(batch, next)) {
      await this.#relieve()
      if (next === batch.records.length) return
    }
  }

  /** Encodes records until the batch ends, a part has to be closed or the buffers are full; gives the next index. */
  #encode(batch: RecordBatch<T>, from: number): number {
    const nowMs = this.#plan.rollEveryMs === undefined ? 0 : this.#sink.clock.monoMs()
    const { records } = batch
    for (let index = from; index < records.length; index++) {
      const record = records[index] as T
      const part = this.#partFor(record, batch, index, nowMs)
      if (part === undefined) return index
      const before = part.buffer.length
      this.#encodeOne(record, part.buffer, batch, index)
      const added = part.buffer.length - before
      if (part.records > 0 && part.encodedBytes + added > this.#plan.rollBytes) {
        part.buffer.cut(before)
        this.#due.push(part)
        return index
      }
      part.records += 1
      part.encodedBytes += added
      this.#buffered += added
      if (part.buffer.length >= this.#plan.bufferBytes || this.#isFull()) return index + 1
    }
    return records.length
  }

  /** The open part for a record; undefined when another part has to be closed first, which is then due. */
  #partFor(record: T, batch: RecordBatch<T>, index: number, nowMs: number): Part | undefined {
    const { partition, rollEveryMs, openPartsMax } = this.#plan
    const key = partition === undefined ? '' : this.#partitionOf(partition, record, batch, index)
    const known = this.#last?.partition === key ? this.#last : this.#open.get(key)
    if (known === undefined) {
      const idle = this.#open.size >= openPartsMax ? this.#leastRecentlyUsed(() => true) : undefined
      if (idle === undefined) return this.#openPart(key, nowMs)
      this.#due.push(idle)
      return undefined
    }
    if (rollEveryMs !== undefined && nowMs - known.openedMs >= rollEveryMs) {
      this.#due.push(known)
      return undefined
    }
    known.usedAt = ++this.#uses
    this.#last = known
    return known
  }

  #partitionOf(partition: (record: T) => string, record: T, batch: RecordBatch<T>, index: number): string {
    let key: string
    try {
      key = partition(record)
    } catch (thrown) {
      throw this.#stepFailed('partition', thrown, batch, index)
    }
    if (this.#open.has(key)) return key
    const problem = partitionProblem(key, (name) => this.#names.readFinal(name) !== undefined)
    if (problem === undefined) return key
    throw new SinkError('SINK_REFUSED', {
      message: `the partition ${typeof key === 'string' ? JSON.stringify(key.slice(0, 200)) : String(key)} ${problem}`,
      place: this.#placeOf(batch, index),
      fix: "let partition() return a relative path of plain names, such as 'level=error/host=a'; encode values from outside with encodeURIComponent",
    })
  }

  #openPart(key: string, nowMs: number): Part {
    const part = new Part(this.#tools, key, this.#spareBuffers.pop() ?? new GrowableBytes(), nowMs)
    part.usedAt = ++this.#uses
    const { header } = this.#plan.format
    if (header !== undefined) {
      part.buffer.appendBytes(header)
      part.encodedBytes += header.length
      this.#buffered += header.length
    }
    this.#open.set(key, part)
    this.#last = part
    return part
  }

  /** A record that fails half-way leaves its bytes in the buffer: the writer fails with it, and writes nothing any more. */
  #encodeOne(record: T, into: GrowableBytes, batch: RecordBatch<T>, index: number): void {
    let problem: { readonly message: string; readonly fix: string } | undefined
    try {
      problem = this.#plan.format.encode(record, into)
    } catch (thrown) {
      throw this.#stepFailed('encode', thrown, batch, index)
    }
    if (problem === undefined) return
    throw new RecordError('RECORD_INVALID', { ...problem, place: this.#placeOf(batch, index) })
  }

  #isFull(): boolean {
    return (this.#last?.buffer.length ?? 0) >= this.#plan.bufferBytes || this.#buffered >= bufferedBytesMax
  }

  /** Closes what is due, and moves full buffers to their files. */
  async #relieve(): Promise<void> {
    const due = this.#due
    this.#due = []
    for (const part of due) await this.#stage(part)
    const everything = this.#buffered >= bufferedBytesMax
    for (const part of [...this.#open.values()]) {
      if (this.#open.get(part.partition) !== part) continue
      if (everything || part.buffer.length >= this.#plan.bufferBytes) await this.#append(part)
    }
  }

  async #append(part: Part): Promise<void> {
    const held = part.buffer.length
    await part.append()
    this.#buffered -= held
  }

  async #stageAll(): Promise<void> {
    const lane = async (): Promise<void> => {
      for (;;) {
        const [part] = this.#open.values()
        if (part === undefined) return
        await this.#stage(part)
      }
    }
    // All lanes come to rest before the first failure is told: none goes on behind the back of `close`.
    const lanes = await Promise.allSettled(Array.from({ length: sealedTogether }, lane))
    for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason
    await this.#tools.directories.sync()
  }

  async #stage(part: Part): Promise<void> {
    this.#open.delete(part.partition)
    if (this.#last === part) this.#last = undefined
    const held = part.buffer.length
    try {
      const receipt = await part.seal()
      if (receipt !== undefined) this.#receipts.push(receipt)
    } catch (error) {
      await part.abandon()
      throw error
    }
    this.#buffered -= held
    if (this.#spareBuffers.length < sealedTogether) this.#spareBuffers.push(part.buffer)
  }

  /** Too many open files may be our own: the writer gives up one before it waits for others to do so. */
  async #freeHandle(): Promise<boolean> {
    const part = this.#leastRecentlyUsed((candidate) => candidate.hasFile)
    if (part === undefined) return false
    await this.#stage(part)
    return true
  }

  #leastRecentlyUsed(accept: (part: Part) => boolean): Part | undefined {
    let found: Part | undefined
    for (const part of this.#open.values()) {
      if (accept(part) && (found === undefined || part.usedAt < found.usedAt)) found = part
    }
    return found
  }

  #placeOf(batch: RecordBatch<T>, index: number) {
    const origin = batch.origins?.at(index)
    return { step: this.#sink.step, subtaskIndex: this.#subtask, split: origin?.split, position: origin?.position }
  }

  #stepFailed(name: string, thrown: unknown, batch: RecordBatch<T>, index: number): Error {
    if (isMillraceError(thrown)) return thrown
    const cause = asError(thrown)
    return new StepError('STEP_FAILED', {
      message: `the sink's ${name} threw: ${cause.message}`,
      place: this.#placeOf(batch, index),
      cause,
    })
  }

  async #latched<R>(work: Promise<R>): Promise<R> {
    try {
      return await work
    } catch (error) {
      throw this.#fail(error)
    }
  }

  #fail(error: unknown): Error {
    this.#failure ??= storageError(error, this.#plan.dir)
    return this.#failure
  }
}
