/**
 * Every metric of the library. Meanings follow Flink's FLIP-33, names follow Prometheus. A value nobody knows is
 * absent, never zero.
 */
export const metricTable = {
  millrace_records_in_total: {
    kind: 'counter',
    unit: 'records',
    help: 'Records a step took in (FLIP-33 numRecordsIn).',
  },
  millrace_records_out_total: {
    kind: 'counter',
    unit: 'records',
    help: 'Records a step gave on (FLIP-33 numRecordsOut).',
  },
  millrace_bytes_in_total: { kind: 'counter', unit: 'bytes', help: 'Bytes a source step read (FLIP-33 numBytesIn).' },
  millrace_records_in_errors_total: {
    kind: 'counter',
    unit: 'records',
    help: 'Records skipped or sent to the dead-letter sink (FLIP-33 numRecordsInErrors).',
  },
  millrace_records_send_total: {
    kind: 'counter',
    unit: 'records',
    help: 'Records handed to a sink writer (FLIP-33 numRecordsSend).',
  },
  millrace_busy_ms_total: { kind: 'counter', unit: 'ms', help: 'Time a subtask spent working.' },
  millrace_idle_ms_total: { kind: 'counter', unit: 'ms', help: 'Time a subtask waited for input.' },
  millrace_backpressured_ms_total: { kind: 'counter', unit: 'ms', help: 'Time a subtask waited for room downstream.' },
  millrace_splits_assigned: { kind: 'gauge', unit: 'splits', help: 'Splits a source subtask holds.' },
  millrace_pending_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    help: 'Bytes of the source known but not read yet (FLIP-33 pendingBytes).',
  },
  millrace_checkpoints_completed_total: {
    kind: 'counter',
    unit: 'checkpoints',
    help: 'Checkpoints completed by this process.',
  },
  millrace_checkpoints_failed_total: {
    kind: 'counter',
    unit: 'checkpoints',
    help: 'Checkpoints given up by this process.',
  },
  millrace_checkpoint_duration_ms: { kind: 'gauge', unit: 'ms', help: 'Duration of the last completed checkpoint.' },
  millrace_checkpoint_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    help: 'Size of the state in the last completed checkpoint.',
  },
  millrace_checkpoint_age_ms: {
    kind: 'gauge',
    unit: 'ms',
    help: 'Time since the last completed checkpoint. Alert on this.',
  },
  millrace_job_restarts_total: {
    kind: 'counter',
    unit: 'restarts',
    help: 'Restarts after a failure, by this process.',
  },
  millrace_splits_idle: {
    kind: 'gauge',
    unit: 'splits',
    help: 'Splits of a source subtask that gave nothing for so long that its watermark no longer waits for them.',
  },
  millrace_watermark_ms: {
    kind: 'gauge',
    unit: 'ms',
    help: 'Event time up to which a source subtask has given out everything, in ms since 1970 (FLIP-33 currentOutputWatermark).',
  },
  millrace_pending_groups: {
    kind: 'gauge',
    unit: 'LogGroups',
    help: 'LogGroups that are written and not pulled, of the shards of which that is known.',
  },
  millrace_source_lag_ms: {
    kind: 'gauge',
    unit: 'ms',
    help: 'Age of the data that was pulled last, of the shard that is furthest behind; 0 when there is nothing more.',
  },
  millrace_split_pending_groups: {
    kind: 'gauge',
    unit: 'LogGroups',
    help: 'As millrace_pending_groups, of each shard; only while a source reads at most 100.',
  },
  millrace_split_lag_ms: {
    kind: 'gauge',
    unit: 'ms',
    help: 'As millrace_source_lag_ms, of each shard; only while a source reads at most 100.',
  },
  millrace_pulls_total: { kind: 'counter', unit: 'pulls', help: 'Pulls of a log source that were answered.' },
  millrace_empty_pulls_total: { kind: 'counter', unit: 'pulls', help: 'Of these, the ones that found nothing.' },
  millrace_throttled_pulls_total: {
    kind: 'counter',
    unit: 'pulls',
    help: 'Pulls that the quota of a shard refused.',
  },
  millrace_pulled_bytes_total: { kind: 'counter', unit: 'bytes', help: 'Decoded bytes of all answers to pulls.' },
  millrace_losses_total: {
    kind: 'counter',
    unit: 'losses',
    help: 'Times that data was gone before it was read and the loss was accepted. Alert on this.',
  },
  millrace_lost_groups_total: {
    kind: 'counter',
    unit: 'LogGroups',
    help: 'LogGroups lost that way, as far as they could be counted.',
  },
  millrace_invalid_groups_total: {
    kind: 'counter',
    unit: 'LogGroups',
    help: 'LogGroups passed over because they cannot be decoded.',
  },
  millrace_resent_groups_total: {
    kind: 'counter',
    unit: 'LogGroups',
    help: 'LogGroups dropped because their package had been read before.',
  },
  millrace_mirror_failures_total: {
    kind: 'counter',
    unit: 'failures',
    help: 'Times that a consumer group could not be told of the progress.',
  },
  millrace_packages_stored_total: {
    kind: 'counter',
    unit: 'packages',
    help: 'Packages of a sink writer that the service has stored.',
  },
  millrace_records_stored_total: { kind: 'counter', unit: 'records', help: 'Records in these packages.' },
  millrace_bytes_send_total: {
    kind: 'counter',
    unit: 'bytes',
    help: 'Bytes of these packages before compression (FLIP-33 numBytesSend).',
  },
  millrace_send_retries_total: {
    kind: 'counter',
    unit: 'attempts',
    help: 'Attempts to send a package that did not succeed and were made again.',
  },
  millrace_send_throttled_total: {
    kind: 'counter',
    unit: 'attempts',
    help: 'Of these, the ones that the service refused for a quota.',
  },
  millrace_records_ambiguous_total: {
    kind: 'counter',
    unit: 'records',
    help: 'Records in attempts of which nobody knows whether they were stored: at most so many are there once too often.',
  },
  millrace_records_send_skipped_total: {
    kind: 'counter',
    unit: 'records',
    help: 'Records that can never be sent and were left out (with the next one, FLIP-33 numRecordsSendErrors).',
  },
  millrace_records_send_dead_letters_total: {
    kind: 'counter',
    unit: 'records',
    help: 'Records that can never be sent and went to the dead-letter logstore of the sink.',
  },
  millrace_groups_unmatched_total: {
    kind: 'counter',
    unit: 'LogGroups',
    help: 'LogGroups that no route of a dispatch was for.',
  },
  millrace_packages_pending: {
    kind: 'gauge',
    unit: 'packages',
    help: 'Packages of a sink writer whose outcome is not known yet, those that still take records included.',
  },
  millrace_send_memory_bytes: {
    kind: 'gauge',
    unit: 'bytes',
    help: 'Bytes in use of the memory budget of a sink. The sinks of a process share one unless told otherwise: do not add them up.',
  },
  millrace_send_requests: {
    kind: 'gauge',
    unit: 'requests',
    help: 'Requests on their way of the I/O pool of a sink. The sinks of a process share one unless told otherwise: do not add them up.',
  },
} as const satisfies Record<string, { kind: 'counter' | 'gauge'; unit: string; help: string }>

export type MetricName = keyof typeof metricTable

/** The metrics that go up and down. */
export type GaugeName = {
  [Name in MetricName]: (typeof metricTable)[Name]['kind'] extends 'gauge' ? Name : never
}[MetricName]

/** The gauges with one value for each split. */
export type SplitGaugeName = Extract<GaugeName, `millrace_split_${string}`>

export interface MetricLabels {
  readonly job?: string
  readonly step?: string
  readonly subtask?: number
  readonly split?: string
}

/** One value at one moment. */
export interface MetricSample {
  readonly name: MetricName
  readonly labels: MetricLabels
  readonly value: number
}

/** A number that is set or grows. Cheap enough for once a batch. */
export interface Metric {
  value: number | undefined
  add(amount: number): void
  set(value: number | undefined): void
}

/** The metrics of one step, or of one subtask of it, as a connector sets them. */
export interface StepMetrics {
  /** The metric of that name, to be kept. Counters start at zero and go on through restarts; gauges start absent. */
  metric(name: MetricName): Metric
  /**
   * A gauge that is asked for when somebody collects, and costs nothing otherwise; undefined: not known. It takes the place
   * of an earlier one, and is gone when the attempt of the job ends. What throws is not known.
   */
  observe(name: GaugeName, read: () => number | undefined): void
  /** As `observe`, with a value for each split. Of more than 100 splits none is told: a series for each is too much. */
  observeSplits(name: SplitGaugeName, read: () => Iterable<SplitValue>): void
}

export type SplitValue = readonly [splitId: string, value: number | undefined]

/** Splits of a step that have series of their own; with more, only the sums do. */
const splitSeriesMax = 100

interface Observation {
  readonly read: () => Iterable<readonly [splitId: string | undefined, value: number | undefined]>
  /** Whoever gives the value has ended when it is aborted. */
  readonly signal: AbortSignal | undefined
}

interface Entry {
  readonly name: MetricName
  readonly labels: MetricLabels
  readonly metric: Metric
  observation: Observation | undefined
}

/** All metrics of one job. Steps keep the metric objects and write to them; readers call `collect()`. */
export class MetricRegistry {
  /** By name and labels. */
  readonly #entries = new Map<string, Entry>()
  readonly #labels: MetricLabels

  constructor(labels: MetricLabels) {
    this.#labels = labels
  }

  /** The metric of that name and labels; the same object for the same arguments. Counters start at zero, gauges absent. */
  metric(name: MetricName, labels: MetricLabels = {}): Metric {
    return this.#entry(name, labels).metric
  }

  /** The metrics of a step, or of a subtask of it. What it observes is told until `signal` aborts. */
  step(labels: Pick<MetricLabels, 'step' | 'subtask'>, signal?: AbortSignal): StepMetrics {
    const observe = (name: GaugeName, read: Observation['read']): void => {
      // A connector that was left behind in an earlier attempt does not take the place of its successor.
      if (signal?.aborted !== true) this.#entry(name, labels).observation = { read, signal }
    }
    return {
      metric: (name) => this.metric(name, labels),
      observe: (name, read) => observe(name, () => [[undefined, read()]]),
      observeSplits: (name, read) => observe(name, read),
    }
  }

  collect(): MetricSample[] {
    return Array.from(this.#entries.values(), samplesOf).flat()
  }

  /** Sum of a metric over its labels; undefined when nobody knows it. */
  sum(name: MetricName, step?: string): number | undefined {
    let total: number | undefined
    for (const entry of this.#entries.values()) {
      if (entry.name !== name || (step !== undefined && entry.labels.step !== step)) continue
      for (const { value } of samplesOf(entry)) total = (total ?? 0) + value
    }
    return total
  }

  #entry(name: MetricName, labels: MetricLabels): Entry {
    const { job, step, subtask, split }: MetricLabels = { ...this.#labels, ...labels }
    const key = JSON.stringify([name, job, step, subtask, split])
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const metric = newMetric(metricTable[name].kind === 'counter' ? 0 : undefined)
    const entry: Entry = { name, labels: { ...this.#labels, ...labels }, metric, observation: undefined }
    this.#entries.set(key, entry)
    return entry
  }
}

const newMetric = (value: number | undefined): Metric => ({
  value,
  add(amount) {
    this.value = (this.value ?? 0) + amount
  },
  set(next) {
    this.value = next
  },
})

const samplesOf = (entry: Entry): MetricSample[] => {
  const { name, labels, metric, observation } = entry
  if (observation?.signal?.aborted) {
    // Frees what it holds.
    entry.observation = undefined
    return []
  }
  if (observation === undefined) return metric.value === undefined ? [] : [{ name, labels, value: metric.value }]
  const samples: MetricSample[] = []
  let splits = 0
  try {
    for (const [split, value] of observation.read()) {
      if (++splits > splitSeriesMax) return []
      if (value !== undefined)
        samples.push({ name, labels: split === undefined ? labels : { ...labels, split }, value })
    }
    return samples
  } catch {
    // Whoever looks at a job does not end it.
    return []
  }
}
