/** A log to be encoded. */
export interface LogInit {
  /** Seconds since 1970, a whole number below 2^32. */
  readonly time: number
  /** The nanosecond part of the time, below a billion. Default: not sent. */
  readonly timeNs?: number | undefined
  /** Names and values: pairs in the order of the wire, or an object's own enumerable properties. */
  readonly contents: readonly (readonly [string, string | Uint8Array])[] | Readonly<Record<string, string>>
}

/** What a LogGroup says about all its logs. */
export interface LogGroupHeader {
  /** Default: not sent, which readers see as empty. So are the others. */
  readonly topic?: string | undefined
  readonly source?: string | undefined
  readonly machineUuid?: string | undefined
  readonly tags?: readonly (readonly [string, string])[] | undefined
}

/** A LogGroup to be encoded. */
export interface LogGroupInit extends LogGroupHeader {
  readonly logs: readonly LogInit[]
}
