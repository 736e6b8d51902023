import { asError, type Digest, invariant, isMillraceError, RecordError } from '../../../core/index.ts'
import { LogGroupBuilder } from '../../../wire/index.ts'
import { isLogstoreName, isProjectName } from '../client/names.ts'
import type { LogDestination, LogDestinations, LogPlace, Tags } from './log-destination.ts'
import { isHashKey, logstoreNameRule, projectNameRule } from './names.ts'
import type { OutgoingLog } from './outgoing-log.ts'
import { reasonOf } from './reason.ts'

/** What a log has that says nothing of its own. */
export interface LogDefaults {
  readonly project: string
  readonly logstore: string | undefined
  readonly topic: string | undefined
  readonly source: string | undefined
  readonly tags: Tags
}

/** A log as it goes into a package. */
export interface EncodedLog {
  readonly destination: LogDestination
  /** The log as a field of its LogGroup. */
  readonly bytes: Uint8Array
}

export interface LogEncodingParts {
  readonly defaults: LogDefaults
  readonly destinations: LogDestinations
  readonly digest: Digest
  /** Encoded bytes of a LogGroup with one log, at most. */
  readonly bytesMax: number
  /** A run this long goes on its way. */
  readonly runBytesMax: number
}

/** Logs of one destination, encoded one behind the other. */
export interface LogRun {
  readonly destination: LogDestination
  /** Good until the next log is appended. */
  readonly bytes: Uint8Array
  /** Where each log ends. */
  readonly ends: readonly number[]
}

/** Checks logs and encodes them. */
export class LogEncoding {
  readonly #parts: LogEncodingParts
  readonly #builder: LogGroupBuilder
  /** Checked already: mostly it is that of the log before. */
  #goodLogstore: string | undefined
  /** Where a log goes that says nothing of it. */
  #usual: LogDestination | undefined
  /** The run that is being built. */
  #destination: LogDestination | undefined
  #ends: number[] = []
  /** A run that had to be cut: the log behind it was too large. */
  #kept: LogRun | undefined

  constructor(parts: LogEncodingParts) {
    this.#parts = parts
    this.#builder = new LogGroupBuilder({}, { bytesMax: parts.bytesMax + parts.runBytesMax })
  }

  /**
   * One log by itself. There must be no run.
   * @param timeSeconds the time of a log that has none
   * @throws RecordError `RECORD_UNSENDABLE` for what the service can never take
   */
  encode(log: OutgoingLog, routed: string | undefined, timeSeconds: number): EncodedLog {
    const destination = this.destinationOf(log, routed)
    this.append(destination, log, timeSeconds)
    const run = this.take()
    invariant(run !== undefined, 'what was appended is there')
    return { destination, bytes: run.bytes.slice() }
  }

  /** Whether a log of that destination can be appended to the run; otherwise the run is to be taken first. */
  fits(destination: LogDestination): boolean {
    if (this.#kept !== undefined) return false
    if (this.#destination === undefined) return true
    return this.#destination === destination && this.#builder.size < this.#parts.runBytesMax
  }

  /**
   * Appends a log to the run, or begins one. The run is as before when it throws.
   * @throws RecordError `RECORD_UNSENDABLE` for what the service can never take
   */
  append(destination: LogDestination, log: OutgoingLog, timeSeconds: number): void {
    const timed = hasTime(log) ? log : { time: timeSeconds, timeNs: log.timeNs, contents: log.contents }
    const seconds = timed.time
    if (seconds > 0xffffffff) {
      throw unsendable(`its time is ${seconds}`, 'give seconds since 1970, not milliseconds: Math.floor(ms / 1000)')
    }
    const before = this.#builder.size
    let after: number
    try {
      after = this.#builder.add(timed)
    } catch (thrown) {
      if (isMillraceError(thrown) && thrown.code === 'WIRE_LIMIT_EXCEEDED') throw this.#tooLarge()
      throw unsendable(reasonOf(asError(thrown)), undefined, thrown)
    }
    if (after - before + destination.overheadBytes > this.#parts.bytesMax) {
      const all = this.#builder.finish()
      if (this.#destination !== undefined) {
        this.#kept = { destination: this.#destination, bytes: all.subarray(0, before), ends: this.#ends }
      }
      this.#begin()
      throw this.#tooLarge()
    }
    this.#destination = destination
    this.#ends.push(after)
  }

  /**
   * The run; undefined when there is none. The next log begins another one, in the same memory: a copy of each run is as
   * much garbage as all that is sent (benchmark dispatch, jobs).
   */
  take(): LogRun | undefined {
    const kept = this.#kept
    this.#kept = undefined
    const destination = this.#destination
    if (kept !== undefined || destination === undefined) return kept
    const run = { destination, bytes: this.#builder.finishInPlace(), ends: this.#ends }
    this.#begin()
    return run
  }

  destinationOf(log: OutgoingLog, routed: string | undefined): LogDestination {
    if (routed !== undefined || !saysNothing(log)) return this.#parts.destinations.of(this.#placeOf(log, routed))
    this.#usual ??= this.#parts.destinations.of(this.#placeOf(log, undefined))
    return this.#usual
  }

  #begin(): void {
    this.#destination = undefined
    this.#ends = []
  }

  #tooLarge(): RecordError {
    return unsendable(`it has more than the ${this.#parts.bytesMax} bytes that are the limit`, 'send smaller records')
  }

  #placeOf(log: OutgoingLog, routed: string | undefined): LogPlace {
    const { defaults } = this.#parts
    const { project = defaults.project, logstore = defaults.logstore, tags = defaults.tags } = log
    if (logstore === undefined) {
      throw unsendable('it names no logstore', "give the log a 'logstore', or the sink one for all logs")
    }
    if (log.logstore !== undefined && logstore !== this.#goodLogstore) {
      if (!isLogstoreName(logstore)) {
        throw unsendable(`${shown(logstore)} cannot name a logstore`, `use ${logstoreNameRule}`)
      }
      this.#goodLogstore = logstore
    }
    if (log.project !== undefined && !isProjectName(project)) {
      throw unsendable(`${shown(project)} cannot name a project`, `use ${projectNameRule}`)
    }
    const { topic = defaults.topic, source = defaults.source } = log
    if (!isOptionalText(topic)) throw unsendable('its topic is no text', 'give the topic as text')
    if (!isOptionalText(source)) throw unsendable('its source is no text', 'give the source as text')
    if (tags !== defaults.tags && !isTags(tags)) {
      throw unsendable('its tags are no list of pairs of text', "write tags: [['name', 'value']]")
    }
    const hashKey = log.hashKey ?? routed
    if (hashKey !== undefined && !isHashKey(hashKey)) {
      throw unsendable(
        `${shown(hashKey)} is no hash key`,
        'give exactly 32 hex digits, or let md5Of(…) or buckets(n, …) make them of a key',
      )
    }
    return { project, logstore, topic, source, tags, hashKey: hashKey?.toLowerCase() }
  }
}

const hasTime = (log: OutgoingLog): log is OutgoingLog & { readonly time: number } => log.time !== undefined

/** Of where it goes. */
const saysNothing = ({ project, logstore, topic, source, tags, hashKey }: OutgoingLog): boolean =>
  logstore === undefined &&
  topic === undefined &&
  source === undefined &&
  tags === undefined &&
  hashKey === undefined &&
  project === undefined

const isOptionalText = (value: unknown): boolean => value === undefined || typeof value === 'string'

const isTags = (value: unknown): value is Tags =>
  Array.isArray(value) &&
  value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string'))

const shown = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value) : typeof value

const unsendable = (message: string, fix?: string, cause?: unknown): RecordError =>
  new RecordError('RECORD_UNSENDABLE', { message: `the log cannot be sent: ${message}`, fix, cause })
