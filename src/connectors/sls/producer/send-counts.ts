/** What a sink or producer did so far, over all its writers in this process. */
export interface SlsSendCounts {
  /** Logs that are stored. */
  readonly logs: number
  /** Packages that are stored. */
  readonly packages: number
  /** Bytes of them, before compression. */
  readonly bytes: number
  /** Attempts that did not succeed and were made again. */
  readonly retries: number
  /** Of these, the ones that the service refused for a quota. */
  readonly throttled: number
  /** Logs in attempts of which nobody knows whether they were stored: at most so many are there once too often. */
  readonly ambiguousLogs: number
  /** Logs that can never be sent and were left out. */
  readonly skipped: number
  /** Logs that can never be sent and went to the dead-letter logstore. */
  readonly deadLetters: number
}

export type SendCounter = { -readonly [Name in keyof SlsSendCounts]: number }

export const noCounts = (): SendCounter => ({
  logs: 0,
  packages: 0,
  bytes: 0,
  retries: 0,
  throttled: 0,
  ambiguousLogs: 0,
  skipped: 0,
  deadLetters: 0,
})
