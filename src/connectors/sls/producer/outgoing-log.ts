import type { LogInit } from '../../../wire/index.ts'

/** A log on its way to a logstore, and where it goes. What is not given is that of the sink or producer. */
export interface OutgoingLog extends Omit<LogInit, 'time'> {
  /** Whole seconds since 1970. Default: the event time of the record when the job knows it, else now. */
  readonly time?: number | undefined
  readonly topic?: string | undefined
  readonly source?: string | undefined
  /** Names and values that hold for the whole LogGroup. Logs with other tags travel in other packages. */
  readonly tags?: readonly (readonly [string, string])[] | undefined
  readonly logstore?: string | undefined
  readonly project?: string | undefined
  /** Exactly 32 hex digits, used as they are. Default: what the route of the sink or producer says. */
  readonly hashKey?: string | undefined
}
