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
} as const satisfies Record<string, { kind: 'counter' | 'gauge'; unit: string; help: string }>

export type MetricName = keyof typeof metricTable

export interface MetricLabels {
  readonly job?: string
  readonly step?: string
  readonly subtask?: number
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

/** All metrics of one job. Steps keep the metric objects and write to them; readers call `collect()`. */
export class MetricRegistry {
  readonly #metrics: { name: MetricName; labels: MetricLabels; metric: Metric }[] = []
  readonly #labels: MetricLabels

  constructor(labels: MetricLabels) {
    this.#labels = labels
  }

  /** The metric of that name and labels; the same object for the same arguments. Counters start at zero, gauges absent. */
  metric(name: MetricName, labels: MetricLabels = {}): Metric {
    const all = { ...this.#labels, ...labels }
    const known = this.#metrics.find(
      (entry) => entry.name === name && entry.labels.step === all.step && entry.labels.subtask === all.subtask,
    )
    if (known !== undefined) return known.metric
    const metric: Metric = {
      value: metricTable[name].kind === 'counter' ? 0 : undefined,
      add(amount) {
        this.value = (this.value ?? 0) + amount
      },
      set(value) {
        this.value = value
      },
    }
    this.#metrics.push({ name, labels: all, metric })
    return metric
  }

  collect(): MetricSample[] {
    return this.#metrics.flatMap(({ name, labels, metric }) =>
      metric.value === undefined ? [] : [{ name, labels, value: metric.value }],
    )
  }

  /** Sum of a metric over its labels; undefined when nobody knows it. */
  sum(name: MetricName, step?: string): number | undefined {
    const values = this.#metrics.filter(
      (entry) => entry.name === name && (step === undefined || entry.labels.step === step),
    )
    const known = values.flatMap(({ metric }) => (metric.value === undefined ? [] : [metric.value]))
    return known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0)
  }
}
