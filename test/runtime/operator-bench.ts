import { type LogFields, type Logger, MetricRegistry, type Origin, type RecordBatch } from '../../src/core/index.ts'
import type { Operator, OperatorContext } from '../../src/runtime/operator.ts'
import { outputsOf } from '../../src/runtime/operator-chain.ts'
import { stepContext } from '../../src/runtime/step-context.ts'
import type { SubtaskStatus } from '../../src/runtime/subtask.ts'
import { VirtualClock } from '../../src/testing/index.ts'

export interface LogLine {
  readonly level: string
  readonly fields: LogFields
  readonly message: string
}

/** A logger that remembers. */
export const rememberingLogger = (lines: LogLine[], bound: LogFields = {}): Logger => {
  const at = (level: string) => (fields: LogFields, message: string) => {
    lines.push({ level, fields: { ...bound, ...fields }, message })
  }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => rememberingLogger(lines, { ...bound, ...fields }),
  }
}

export interface OperatorBenchOptions {
  readonly batchRecordsMax?: number
  /** What `emit` gives for a batch of an output: a promise holds the operator up. */
  readonly room?: (output: string, batch: RecordBatch) => void | Promise<void>
  readonly sides?: readonly string[]
}

/** An operator on its own: its context is the real one, its outputs remember what they get. */
export class OperatorBench {
  readonly clock = new VirtualClock()
  readonly controller = new AbortController()
  readonly status: SubtaskStatus = { waitingFor: undefined }
  readonly log: LogLine[] = []
  readonly metrics = new MetricRegistry({ job: 'test' })
  readonly context: OperatorContext
  readonly #emitted = new Map<string, RecordBatch[]>()

  constructor(options: OperatorBenchOptions = {}) {
    const { batchRecordsMax = 4, room, sides = [] } = options
    const output = (name: string) => ({
      emit: (batch: RecordBatch) => {
        this.batches(name).push(batch)
        return room?.(name, batch)
      },
    })
    this.context = stepContext({
      job: 'test',
      step: 'the step',
      subtask: 3,
      parallelism: 5,
      batchRecordsMax,
      warnMs: 1_000,
      timeoutMs: 60_000,
      clock: this.clock,
      log: rememberingLogger(this.log),
      signal: this.controller.signal,
      outputs: outputsOf(new Map(['main', ...sides].map((name) => [name, output(name)]))),
      errors: this.metrics.metric('millrace_records_in_errors_total', { step: 'the step', subtask: 3 }),
      status: this.status,
    })
  }

  batches(output = 'main'): RecordBatch[] {
    const known = this.#emitted.get(output)
    if (known !== undefined) return known
    const batches: RecordBatch[] = []
    this.#emitted.set(output, batches)
    return batches
  }

  records(output = 'main'): unknown[] {
    return this.batches(output).flatMap(({ records }) => records)
  }

  /** Of everything emitted: record, event time and position beside each other. */
  rows(output = 'main'): (readonly [unknown, number | undefined, string | undefined])[] {
    return this.batches(output).flatMap(({ records, timestamps, origins }) =>
      records.map((record, index) => [record, timestamps?.[index], origins?.at(index).position] as const),
    )
  }
}

/** A batch whose event times and origins tell the number of the record. */
export const numbered = <T>(records: readonly T[], bytes: number = records.length * 10): RecordBatch<T> => ({
  kind: 'batch',
  records,
  bytes,
  timestamps: records.map((_, index) => 1_000 + index),
  origins: { at: (index): Origin => ({ split: 'shard-7', position: `p${index}` }) },
})

/** The error of a call that throws or rejects. */
export const failureOf = async (call: () => unknown): Promise<Error> => {
  try {
    await call()
  } catch (thrown) {
    if (thrown instanceof Error) return thrown
    throw new Error(`thrown value is not an Error: ${String(thrown)}`)
  }
  throw new Error('it did not fail')
}

export const processAll = async (operator: Operator, ...batches: readonly RecordBatch[]): Promise<void> => {
  for (const batch of batches) await operator.process(batch)
}
