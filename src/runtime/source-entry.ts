import type { DeadLetter, Metric, RecordBatch } from '../core/index.ts'
import type { OperatorContext, Output } from './operator.ts'
import { stepMisused } from './step-failure.ts'

export interface SourceEntryOptions {
  readonly context: OperatorContext
  /** The source says that it gives dead letters, so that there is a sink for them. */
  readonly givesLetters: boolean
  readonly batchBytesMax: number
  readonly records: Metric
  readonly bytes: Metric
}

/**
 * Where the batches of a source enter the job: counts them, and takes off the dead letters they carry. Letters go out before
 * the records of their batch and before the next barrier, so that they are there exactly as often as records are.
 */
export const sourceEntry = (options: SourceEntryOptions): Output => {
  const { context, givesLetters, records, bytes } = options
  const { main } = context.outputs
  return {
    emit(batch) {
      records.add(batch.records.length)
      bytes.add(batch.bytes)
      if (batch.deadLetters === undefined) return main.emit(batch)
      if (!givesLetters) {
        const fix = 'let the source say so with deadLetters: true'
        throw stepMisused(context, 'the source gave a dead letter, and did not say that it gives any', fix)
      }
      return emitWithLetters(batch, batch.deadLetters, options)
    },
  }
}

const emitWithLetters = async (
  batch: RecordBatch,
  letters: readonly (() => DeadLetter)[],
  { context, batchBytesMax }: SourceEntryOptions,
): Promise<void> => {
  const { outputs, errors, batchRecordsMax } = context
  const output = outputs.side('dead-letter')
  let records: DeadLetter[] = []
  let bytes = 0
  const flush = async (): Promise<void> => {
    if (records.length === 0) return
    const full: RecordBatch = { kind: 'batch', records, bytes }
    records = []
    bytes = 0
    await output.emit(full)
  }
  // Each is made when there is room for it: a pull of nothing but large letters is not in memory twice.
  for (const make of letters) {
    const letter = make()
    errors.add(1)
    records.push(letter)
    bytes += letter.raw.length + letter.reason.length
    if (records.length >= batchRecordsMax || bytes >= batchBytesMax) await flush()
  }
  await flush()
  if (batch.records.length > 0) await outputs.main.emit({ ...batch, deadLetters: undefined })
}
