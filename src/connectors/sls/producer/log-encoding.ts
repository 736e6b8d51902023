import { asError, type Digest, isMillraceError, RecordError } from '../../../core/index.ts'
import { LogGroupEncoder } from '../../../wire/index.ts'
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
  /** The log as a field of its LogGroup; good until the next log is encoded. */
  readonly bytes: Uint8Array
}

export interface LogEncodingParts {
  readonly defaults: LogDefaults
  readonly destinations: LogDestinations
  readonly digest: Digest
  /** Encoded bytes of a LogGroup with one log, at most. */
  readonly bytesMax: number
}

/** Checks logs and encodes them. */
export class LogEncoding {
  readonly #parts: LogEncodingParts
  readonly #encoder: LogGroupEncoder

  constructor(parts: LogEncodingParts) {
    this.#parts = parts
    this.#encoder = new LogGroupEncoder({ bytesMax: parts.bytesMax })
  }

  /**
   * @param timeSeconds the time of a log that has none
   * @throws RecordError `RECORD_UNSENDABLE` for what the service can never take
   */
  encode(log: OutgoingLog, routed: string | undefined, timeSeconds: number): EncodedLog {
    const destination = this.#parts.destinations.of(this.#placeOf(log, routed))
    const { time = timeSeconds, timeNs, contents } = log
    if (time > 0xffffffff) {
      throw unsendable(`its time is ${time}`, 'give seconds since 1970, not milliseconds: Math.floor(ms / 1000)')
    }
    let bytes: Uint8Array
    try {
      bytes = this.#encoder.encodeInPlace({ logs: [{ time, timeNs, contents }] })
    } catch (thrown) {
      if (isMillraceError(thrown) && thrown.code === 'WIRE_LIMIT_EXCEEDED') throw this.#tooLarge()
      throw unsendable(reasonOf(asError(thrown)), undefined, thrown)
    }
    if (bytes.length + destination.overheadBytes > this.#parts.bytesMax) throw this.#tooLarge()
    return { destination, bytes }
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
    if (log.logstore !== undefined && !isLogstoreName(logstore)) {
      throw unsendable(`${shown(logstore)} cannot name a logstore`, `use ${logstoreNameRule}`)
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

const isOptionalText = (value: unknown): boolean => value === undefined || typeof value === 'string'

const isTags = (value: unknown): value is Tags =>
  Array.isArray(value) &&
  value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string'))

const shown = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value) : typeof value

const unsendable = (message: string, fix?: string, cause?: unknown): RecordError =>
  new RecordError('RECORD_UNSENDABLE', { message: `the log cannot be sent: ${message}`, fix, cause })
