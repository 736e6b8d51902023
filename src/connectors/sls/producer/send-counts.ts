import type { Metric, MetricName, StepMetrics } from '../../../core/index.ts'

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

const metricNames: Readonly<Record<keyof SlsSendCounts, MetricName>> = {
  logs: 'millrace_records_stored_total',
  packages: 'millrace_packages_stored_total',
  bytes: 'millrace_bytes_send_total',
  retries: 'millrace_send_retries_total',
  throttled: 'millrace_send_throttled_total',
  ambiguousLogs: 'millrace_records_ambiguous_total',
  skipped: 'millrace_records_send_skipped_total',
  deadLetters: 'millrace_records_send_dead_letters_total',
}

/** Counts what one writer does: as its part of a counter, and as the metrics of its subtask. */
export class SendMeter {
  readonly #counter: SendCounter
  readonly #metrics: Readonly<Record<keyof SlsSendCounts, Metric>>

  constructor(counter: SendCounter, metrics: StepMetrics) {
    this.#counter = counter
    this.#metrics = Object.fromEntries(
      Object.entries(metricNames).map(([count, name]) => [count, metrics.metric(name)]),
    ) as Record<keyof SlsSendCounts, Metric>
  }

  add(name: keyof SlsSendCounts, amount = 1): void {
    this.#counter[name] += amount
    this.#metrics[name].add(amount)
  }
}
