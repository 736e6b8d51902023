import {
  asError,
  type Clock,
  type Digest,
  type Duration,
  isMillraceError,
  type Logger,
  parseDuration,
  type Random,
  RecordError,
  SinkError,
} from '../../../core/index.ts'
import { Batcher, type BatchingResources, type PackageOutcome } from '../../../sink/index.ts'
import { type LogDestination, LogDestinations } from './log-destination.ts'
import { LogEncoding, type LogRun } from './log-encoding.ts'
import { type LogPuts, sendLogs } from './log-puts.ts'
import type { OutgoingLog } from './outgoing-log.ts'
import { packPrefix } from './pack-tag.ts'
import type { SlsProducerSettings } from './producer-options.ts'
import { reasonOf } from './reason.ts'
import { noCounts, type SlsSendCounts } from './send-counts.ts'
import { Sending, type SlsReceipt } from './sending.ts'
import { TargetHealth } from './target-health.ts'

/** Sends logs without a job. */
export interface SlsProducer {
  /**
   * Takes one log, or several together, and resolves when all of them are stored. When one of several can never be sent,
   * none is. While there is no room in memory it waits for it, up to `blockMax`. An outcome takes as long as the linger:
   * who sends many logs awaits `room()` between them, and the outcomes later.
   *
   * Rejects with a RecordError `RECORD_UNSENDABLE`: it can never be sent; or a SinkError `SINK_REFUSED`: it cannot be sent
   * there, `SINK_UNAVAILABLE`: the attempts ran out, or there was no room in time, `SEND_ABANDONED`: the producer was
   * closed before it was stored.
   */
  send(logs: OutgoingLog | readonly OutgoingLog[]): Promise<SlsReceipt>
  /** Resolves when nobody waits for room in memory: the backpressure. */
  room(): Promise<void>
  /** Sends what is gathered now, and resolves when everything sent before has its outcome, good or bad. */
  flush(): Promise<void>
  /**
   * Takes no more logs, sends what is gathered, and gives up what is not stored by the deadline: every promise of `send`
   * has settled then. Default deadline 30 s. May be called twice.
   */
  close(options?: { readonly deadline?: Duration | undefined }): Promise<void>
  counts(): SlsSendCounts
}

export interface LogProducerParts {
  readonly settings: SlsProducerSettings
  readonly project: string
  /** Tells this service from others, for the lanes of the I/O pool. */
  readonly endpoint: string
  readonly puts: LogPuts
  readonly resources: BatchingResources
  readonly clock: Clock
  readonly random: Random
  readonly digest: Digest
  readonly log: Logger
}

const defaultCloseMs = 30_000
/** Calls that may wait for room at the same time: what they wait with is in no budget. */
const waitingMax = 10_000
/** Logs of one list are encoded into one piece of memory up to here, which is kept. */
const runBytesMax = 8 * 1024 * 1024

export class LogProducer implements SlsProducer {
  readonly #o: LogProducerParts
  readonly #encoding: LogEncoding
  readonly #batcher: Batcher<LogDestination, Sending>
  readonly #counter = noCounts()
  readonly #health: TargetHealth
  /** Calls of `send` whose outcome is not known. */
  readonly #sendings = new Set<Sending>()
  /** Waits for room, of calls of `send`. */
  readonly #waits = new Set<Promise<void>>()
  /** Above zero, packages do not stay open. */
  #hurry = 0
  #closing: Promise<void> | undefined

  constructor(parts: LogProducerParts) {
    this.#o = parts
    const { settings, project, endpoint, clock, random, digest, resources, log } = parts
    const { logstore, topic, source, tags, recordBytesMax, limits, retry, ordered, packTag } = settings
    this.#encoding = new LogEncoding({
      defaults: { project, logstore, topic, source, tags },
      destinations: new LogDestinations(endpoint, packTag),
      digest,
      bytesMax: Math.min(recordBytesMax, resources.memory.capacity),
      runBytesMax,
    })
    this.#health = new TargetHealth(log)
    this.#batcher = new Batcher<LogDestination, Sending>({
      clock,
      random,
      resources,
      limits,
      retry,
      ordered,
      isolateRefused: true,
      send: sendLogs(parts.puts, packTag ? packPrefix(digest, ['producer', random.id()]) : undefined),
      settled: ({ destination, bytes, tickets }, outcome) => this.#settled(destination, bytes.length, tickets, outcome),
      onAgain: (pack, why, cause, waitMs) => {
        const counter = this.#counter
        counter.retries++
        if (why === 'throttled') counter.throttled++
        if (why === 'ambiguous') counter.ambiguousLogs += pack.records
        this.#health.failed(pack.destination, why, cause, waitMs)
      },
    })
  }

  async send(logs: OutgoingLog | readonly OutgoingLog[]): Promise<SlsReceipt> {
    if (this.#closing !== undefined) throw abandoned('the producer is closed and takes no more logs')
    const list = isList(logs) ? logs : [logs]
    if (list.length === 0) return { logs: 0, attempts: 0 }
    const sending = new Sending(list.length)
    const runs = this.#encode(list)
    this.#sendings.add(sending)
    try {
      // Not awaited before the outcome: that settles also when a part of the list finds no room.
      const taken = this.#take(runs, sending)
      const receipt = await sending.outcome
      await taken
      return receipt
    } finally {
      this.#sendings.delete(sending)
    }
  }

  async room(): Promise<void> {
    while (this.#waits.size > 0) await Promise.all(this.#waits)
  }

  async flush(): Promise<void> {
    this.#hurry++
    this.#batcher.flushNow()
    await this.#settledAll()
    this.#hurry--
  }

  close(options: { readonly deadline?: Duration | undefined } = {}): Promise<void> {
    const { deadline } = options
    this.#closing ??= this.#close(deadline === undefined ? defaultCloseMs : parseDuration(deadline, 'deadline'))
    return this.#closing
  }

  counts(): SlsSendCounts {
    return { ...this.#counter }
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#hurry++
    this.#batcher.flushNow()
    let stopWaiting = (): void => {}
    const deadline = new Promise<void>((resolve) => {
      stopWaiting = this.#o.clock.timer(deadlineMs, resolve)
    })
    await Promise.race([this.#settledAll(), deadline])
    stopWaiting()
    await this.#batcher.abort(abandoned(`the producer was closed, and it was not stored within ${deadlineMs} ms`))
    await this.#settledAll()
  }

  async #settledAll(): Promise<void> {
    await Promise.allSettled([...this.#sendings].map(({ outcome }) => outcome))
  }

  /**
   * All of them, or none: one that cannot be sent is found before any is taken. The memory of the last run is good until
   * something else is encoded.
   */
  #encode(list: readonly OutgoingLog[]): LogRun[] {
    const { settings, digest, clock } = this.#o
    const encoding = this.#encoding
    const seconds = Math.floor(clock.wallMs() / 1000)
    const runs: LogRun[] = []
    try {
      for (const log of list) {
        if (!isLog(log)) {
          throw new RecordError('RECORD_UNSENDABLE', {
            message: 'what is to be sent is no log',
            fix: 'send({ contents: { name: value, … } })',
          })
        }
        const hashKey = log.hashKey === undefined ? settings.route?.hashKeyOf(log, digest) : undefined
        const destination = encoding.destinationOf(log, hashKey)
        if (!encoding.fits(destination)) keep(runs, encoding.take(), true)
        encoding.append(destination, log, seconds)
      }
      keep(runs, encoding.take(), false)
      return runs
    } catch (thrown) {
      while (encoding.take() !== undefined);
      throw thrown
    }
  }

  /** Gives the logs to the batcher, waiting for room where there is none. Rejects never: what fails is in `sending`. */
  async #take(given: readonly LogRun[], sending: Sending): Promise<void> {
    let runs = given
    let left = runs.reduce((count, { ends }) => count + ends.length, 0)
    for (let run = 0; run < runs.length; run++) {
      const { destination, ends } = runs[run] as LogRun
      for (let index = 0; index < ends.length; ) {
        const taken = this.#batcher.addRunNow(destination, (runs[run] as LogRun).bytes, ends, index, sending)
        left -= taken - index
        index = taken
        if (index === ends.length) break
        // Others encode while this call waits.
        if (runs === given) runs = given.map((kept) => ({ ...kept, bytes: kept.bytes.slice() }))
        const record = (runs[run] as LogRun).bytes.subarray(index === 0 ? 0 : ends[index - 1], ends[index])
        try {
          await this.#waitForRoom(destination, record, sending)
        } catch (thrown) {
          sending.failed(asError(thrown), left)
          return
        }
        left--
        index++
      }
    }
    // Once for all of them, not for each: a package of its own for every log costs thirty times as much (benchmark dispatch).
    if (this.#hurry > 0) this.#batcher.flushNow()
  }

  async #waitForRoom(destination: LogDestination, bytes: Uint8Array, sending: Sending): Promise<void> {
    const { clock, settings } = this.#o
    if (this.#waits.size >= waitingMax) throw noRoom(`${waitingMax} calls wait for room in memory already`)
    const patience = new AbortController()
    const cancel = clock.timer(settings.blockMs, () =>
      patience.abort(noRoom(`there was no room in memory for ${settings.blockMs} ms`)),
    )
    const added = Promise.resolve(this.#batcher.add(destination, bytes, sending, patience.signal))
    const wait = added.catch(() => {})
    this.#waits.add(wait)
    try {
      await added
    } finally {
      cancel()
      this.#waits.delete(wait)
    }
  }

  #settled(destination: LogDestination, bytes: number, tickets: readonly Sending[], outcome: PackageOutcome): void {
    const counter = this.#counter
    if (outcome.kind === 'accepted') {
      counter.packages++
      counter.logs += tickets.length
      counter.bytes += bytes
      this.#health.stored(destination)
      for (const sending of tickets) sending.stored(outcome.attempts)
      return
    }
    const { kind, cause } = outcome
    if (kind === 'rejected') counter.skipped += tickets.length
    const error = kind === 'rejected' ? unsendable(cause) : cause
    for (const sending of tickets) sending.failed(error)
  }
}

/** Adds a run to those of a list; with `copied` in memory of its own. */
const keep = (runs: LogRun[], run: LogRun | undefined, copied: boolean): void => {
  if (run !== undefined) runs.push(copied ? { ...run, bytes: run.bytes.slice() } : run)
}

const isList = (logs: OutgoingLog | readonly OutgoingLog[]): logs is readonly OutgoingLog[] => Array.isArray(logs)

const isLog = (log: unknown): boolean =>
  typeof log === 'object' &&
  log !== null &&
  'contents' in log &&
  typeof log.contents === 'object' &&
  log.contents !== null

const abandoned = (message: string): SinkError => new SinkError('SEND_ABANDONED', { message })

const noRoom = (message: string): SinkError =>
  new SinkError('SINK_UNAVAILABLE', {
    message,
    fix: 'await room() between calls of send, raise blockMax or the memory budget, or see why the service does not answer',
  })

const unsendable = (cause: Error): RecordError =>
  new RecordError('RECORD_UNSENDABLE', {
    message: `the service refused the log: ${reasonOf(cause)}`,
    fix: isMillraceError(cause) ? cause.fix : undefined,
    cause,
  })
