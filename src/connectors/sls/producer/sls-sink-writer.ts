import {
  asError,
  type Clock,
  type Digest,
  isMillraceError,
  type Logger,
  type Random,
  type RecordBatch,
  RecordError,
  StepError,
} from '../../../core/index.ts'
import {
  type BatchingResources,
  BatchingWriter,
  type Package,
  type SinkWriter,
  type SinkWriterContext,
} from '../../../sink/index.ts'
import { viewLogGroup } from '../../../wire/index.ts'
import { deadLetterLog } from './dead-letter-log.ts'
import { type LogDestination, LogDestinations } from './log-destination.ts'
import { LogEncoding } from './log-encoding.ts'
import { type LogPuts, sendLogs } from './log-puts.ts'
import type { OutgoingLog } from './outgoing-log.ts'
import { reasonOf } from './reason.ts'
import { type SendCounter, SendMeter } from './send-counts.ts'
import { TargetHealth } from './target-health.ts'
import type { SlsWriteSettings } from './write-options.ts'

export interface SlsSinkWriterParts<T> {
  readonly settings: SlsWriteSettings<T>
  readonly project: string
  /** Tells this service from others, for the lanes of the I/O pool. */
  readonly endpoint: string
  readonly puts: LogPuts
  readonly packPrefix: string | undefined
  readonly resources: BatchingResources
  readonly counter: SendCounter
  readonly clock: Clock
  readonly random: Random
  readonly digest: Digest
  readonly log: Logger
  readonly job: string
  readonly step: string
  readonly writer: SinkWriterContext
}

/** Logs are encoded one behind the other up to here before they go into their package. */
const runBytesMax = 64 * 1024

/** Sends the records of one subtask, at least once. */
export class SlsSinkWriter<T> implements SinkWriter<T> {
  readonly #o: SlsSinkWriterParts<T>
  readonly #encoding: LogEncoding
  readonly #batches: BatchingWriter<LogDestination>
  readonly #meter: SendMeter
  /** Dead letters that wait for room. */
  readonly #letters = new Set<Promise<void>>()
  #rejectedInRow = 0

  constructor(parts: SlsSinkWriterParts<T>) {
    this.#o = parts
    const { settings, project, endpoint, counter, clock, random, digest, resources, writer, log } = parts
    const { logstore, topic, source, tags, recordBytesMax, limits, retry, ordered } = settings
    this.#encoding = new LogEncoding({
      defaults: { project, logstore, topic, source, tags },
      destinations: new LogDestinations(endpoint, parts.packPrefix !== undefined),
      digest,
      bytesMax: Math.min(recordBytesMax, resources.memory.capacity),
      runBytesMax,
    })
    const health = new TargetHealth(log)
    const meter = new SendMeter(counter, writer.metrics)
    this.#meter = meter
    this.#batches = new BatchingWriter<LogDestination>({
      clock,
      random,
      resources,
      limits,
      retry,
      ordered,
      isolateRefused: settings.onRejected !== 'fail',
      send: sendLogs(parts.puts, parts.packPrefix),
      signal: writer.signal,
      onAccepted: (pack) => {
        this.#rejectedInRow = 0
        meter.add('packages')
        meter.add('logs', pack.records)
        meter.add('bytes', pack.bytes.length)
        health.stored(pack.destination)
      },
      onAgain: (pack, why, cause, waitMs) => {
        meter.add('retries')
        if (why === 'throttled') meter.add('throttled')
        if (why === 'ambiguous') meter.add('ambiguousLogs', pack.records)
        health.failed(pack.destination, why, cause, waitMs)
      },
      onRejected: (pack, cause) => this.#onRejected(pack, cause),
    })
    writer.metrics.observe('millrace_packages_pending', () => this.#batches.pending)
  }

  write(batch: RecordBatch<T>): Promise<void> | undefined {
    const next = this.#take(batch, 0)
    return next === undefined ? undefined : this.#takeRest(batch, next)
  }

  async flush(): Promise<void> {
    this.#o.writer.waiting('its packages to be stored')
    try {
      do {
        await this.#batches.flush()
        await Promise.all(this.#letters)
        // A package that was refused meanwhile has left dead letters.
      } while (this.#batches.pending > 0)
      this.#batches.check()
    } finally {
      this.#o.writer.waiting(undefined)
    }
  }

  async close(): Promise<void> {
    await this.#batches.close()
  }

  async #takeRest(batch: RecordBatch<T>, from: Room): Promise<void> {
    let wait: Room | undefined = from
    this.#o.writer.waiting('room in the memory for packages')
    try {
      while (wait !== undefined) {
        await wait.room
        wait = this.#take(batch, wait.next)
      }
    } finally {
      this.#o.writer.waiting(undefined)
    }
  }

  /** Takes records until one has to wait for room; undefined when all are taken. */
  #take(batch: RecordBatch<T>, from: number): Room | undefined {
    const { records } = batch
    this.#batches.check()
    try {
      for (let index = from; index < records.length; index++) {
        const room = this.#takeOne(records[index] as T, batch.timestamps?.[index])
        if (room !== undefined) return { room, next: index + 1 }
      }
      const room = this.#giveRun()
      return room === undefined ? undefined : { room, next: records.length }
    } catch (thrown) {
      this.#batches.fail(asError(thrown))
      throw thrown
    }
  }

  #takeOne(record: T, timestampMs: number | undefined): Promise<void> | undefined {
    const { settings, digest, clock } = this.#o
    const log = this.#logOf(record)
    if (log === null) return undefined
    let room: Promise<void> | undefined
    try {
      const { route } = settings
      const hashKey =
        route === undefined || log.hashKey !== undefined
          ? undefined
          : this.#asked('routes logs', () => route.hashKeyOf(record, digest))
      const seconds = Math.floor((timestampMs ?? clock.wallMs()) / 1000)
      const destination = this.#encoding.destinationOf(log, hashKey)
      if (!this.#encoding.fits(destination)) room = this.#giveRun()
      this.#encoding.append(destination, log, seconds)
      this.#rejectedInRow = 0
      return room
    } catch (thrown) {
      if (!isMillraceError(thrown) || thrown.code !== 'RECORD_UNSENDABLE') throw thrown
      return both(room, this.#reject(record, thrown))
    }
  }

  /** Hands the logs on that were encoded one behind the other. */
  #giveRun(): Promise<void> | undefined {
    const run = this.#encoding.take()
    const room = run === undefined ? undefined : this.#batches.addRun(run.destination, run.bytes, run.ends)
    // Something else may throw before anybody waits for it.
    room?.catch(() => {})
    return room
  }

  #logOf(record: T): OutgoingLog | null {
    const { settings, job, step, writer } = this.#o
    const log = this.#asked('makes logs', () => settings.log(record))
    if (log === null || (typeof log === 'object' && typeof log.contents === 'object' && log.contents !== null))
      return log
    throw new StepError('STEP_MISUSED', {
      message: `the function that makes logs returned ${log === undefined ? 'nothing' : 'something that is no log'}`,
      place: { job, step, subtaskIndex: writer.subtask },
      fix: 'return { contents: { name: value, … } }, or null for no log',
    })
  }

  /** What a function of the user gives. @throws StepError when it throws */
  #asked<R>(what: string, ask: () => R): R {
    try {
      return ask()
    } catch (thrown) {
      const { job, step, writer } = this.#o
      const cause = asError(thrown)
      throw new StepError('STEP_FAILED', {
        message: `the function that ${what} threw ${cause.name}: ${cause.message}`,
        place: { job, step, subtaskIndex: writer.subtask },
        cause,
      })
    }
  }

  /** Deals with a record that can never be sent. @throws RecordError when it is to fail the job */
  #reject(record: unknown, cause: Error): Promise<void> | undefined {
    const { settings, step, clock } = this.#o
    const { onRejected } = settings
    if (onRejected === 'fail' || ++this.#rejectedInRow > settings.rejectedInRowMax) throw this.#rejection(cause)
    if (onRejected === 'skip') {
      this.#meter.add('skipped')
      return undefined
    }
    this.#meter.add('deadLetters')
    const before = this.#giveRun()
    const log = deadLetterLog(onRejected, { step, reason: reasonOf(cause), record })
    const { destination, bytes } = this.#encoding.encode(log, undefined, Math.floor(clock.wallMs() / 1000))
    return both(before, this.#batches.add(destination, bytes))
  }

  /** The service refused these for good. True when they are dealt with. */
  #onRejected(pack: Package<LogDestination>, cause: Error): boolean {
    const { onRejected } = this.#o.settings
    if (onRejected === 'fail' || pack.destination.place.logstore === deadLetterStore(onRejected)) return false
    try {
      for (const log of viewLogGroup(pack.bytes).logs()) {
        const letter = this.#reject(log.toObject(), cause)
        if (letter === undefined) continue
        const kept = letter
          .catch((error: unknown) => this.#batches.fail(asError(error)))
          .finally(() => this.#letters.delete(kept))
        this.#letters.add(kept)
      }
      return true
    } catch (error) {
      this.#batches.fail(asError(error))
      return true
    }
  }

  #rejection(cause: Error): Error {
    const { job, step, writer } = this.#o
    return new RecordError('RECORD_UNSENDABLE', {
      message: reasonOf(cause),
      place: { job, step, subtaskIndex: writer.subtask },
      fix: isMillraceError(cause) ? cause.fix : undefined,
      cause,
    })
  }
}

const both = (one: Promise<void> | undefined, other: Promise<void> | undefined): Promise<void> | undefined =>
  one === undefined || other === undefined ? (one ?? other) : Promise.all([one, other]).then(() => {})

interface Room {
  readonly room: Promise<void>
  readonly next: number
}

const deadLetterStore = (policy: SlsWriteSettings<unknown>['onRejected']): string | undefined =>
  typeof policy === 'object' ? policy.logstore : undefined
