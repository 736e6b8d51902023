import type { StandardSchemaV1 } from '@standard-schema/spec'
import { Observable, type Subscription } from 'rxjs'
import {
  asError,
  type DeadLetter,
  isParsable,
  parseInput,
  type RecordBatch,
  RecordError,
  rawRecord,
} from '../core/index.ts'
import type { Operator, OperatorContext } from './operator.ts'
import { isThenable, stepFailure } from './step-failure.ts'
import { BatchBuilder, pickBatch } from './transforms.ts'

export interface MapAsyncSettings {
  /** Calls under way at the same time. */
  readonly concurrency: number
}

/** One record in, one out, through a promise; results keep the order of their records. Nothing outlives the batch. */
export const mapAsyncOperator = (
  context: OperatorContext,
  { concurrency }: MapAsyncSettings,
  fn: (record: unknown, signal: AbortSignal) => PromiseLike<unknown>,
): Operator => ({
  async process(batch) {
    const results = new Array<unknown>(batch.records.length)
    let next = 0
    const work = async (): Promise<void> => {
      while (next < batch.records.length) {
        const index = next++
        try {
          results[index] = await fn(batch.records[index], context.signal)
        } catch (thrown) {
          next = batch.records.length
          throw stepFailure(thrown, context, batch.origins, index)
        }
      }
    }
    const workers = Array.from({ length: Math.min(concurrency, batch.records.length) }, work)
    await context.awaitUser(settled(workers), 'the promises of mapAsync')
    await context.outputs.main.emit({
      kind: 'batch',
      records: results,
      bytes: batch.bytes,
      timestamps: batch.timestamps,
      origins: batch.origins,
    })
  },
})

/** All of them, and only then the first failure: nothing of a failed batch is still running when the step fails. */
const settled = async (promises: readonly Promise<void>[]): Promise<void> => {
  const outcomes = await Promise.allSettled(promises)
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

/** The part of rxjs' operator type the runtime needs. */
export type RxSegment = (input: Observable<unknown>) => Observable<unknown>

/**
 * An RxJS segment. It sees one batch at a time: its source completes after the batch, and the batch is done when the
 * segment completes, so barriers and backpressure hold whatever the operators do.
 */
export const rxOperator = (context: OperatorContext, segment: RxSegment): Operator => ({
  async process(batch) {
    const results = await context.awaitUser(collect(segment, batch, context), 'the RxJS segment to complete')
    const builder = new BatchBuilder(context, { kind: 'batch', records: [], bytes: 0 })
    await builder.add(results, 0)
    await builder.flush()
  },
})

const observed = (records: readonly unknown[]): Observable<unknown> =>
  new Observable((subscriber) => {
    for (const record of records) {
      if (subscriber.closed) return
      subscriber.next(record)
    }
    subscriber.complete()
  })

const collect = (segment: RxSegment, batch: RecordBatch, context: OperatorContext): Promise<unknown[]> =>
  new Promise((resolve, reject) => {
    const results: unknown[] = []
    let subscription: Subscription | undefined
    const stop = (): void => {
      subscription?.unsubscribe()
      reject(context.signal.reason)
    }
    context.signal.addEventListener('abort', stop, { once: true })
    const done = (): void => context.signal.removeEventListener('abort', stop)
    try {
      subscription = segment(observed(batch.records)).subscribe({
        next: (value) => results.push(value),
        error: (thrown: unknown) => {
          done()
          reject(stepFailure(thrown, context))
        },
        complete: () => {
          done()
          resolve(results)
        },
      })
    } catch (thrown) {
      done()
      reject(stepFailure(thrown, context))
    }
  })

export interface ParseSettings {
  readonly onInvalid: 'fail' | 'skip' | 'dead-letter'
  /** Invalid records in a row after which the step fails whatever the policy: it is probably the wrong schema. */
  readonly invalidInRowMax: number
}

type Verdict = { readonly valid: true; readonly value: unknown } | { readonly valid: false; readonly reason: string }

/** Validates every record with a Standard Schema; invalid ones fail the job, are skipped, or go to the dead-letter sink. */
export const parseOperator = (
  context: OperatorContext,
  schema: StandardSchemaV1,
  { onInvalid, invalidInRowMax }: ParseSettings,
): Operator => {
  let invalidInRow = 0
  const refuse = (batch: RecordBatch, index: number, reason: string): RecordError => {
    const origin = batch.origins?.at(index)
    return new RecordError('RECORD_INVALID', {
      message: `the record does not fit the schema: ${reason}`,
      place: {
        job: context.job,
        step: context.step,
        subtaskIndex: context.subtask,
        split: origin?.split,
        position: origin?.position,
      },
    })
  }
  /** A schema that throws or rejects has judged nothing: its step fails whatever is done with invalid records. */
  const judge = (batch: RecordBatch, index: number, input: unknown): Verdict | Promise<Verdict> => {
    const failed = (thrown: unknown): never => {
      throw stepFailure(thrown, context, batch.origins, index)
    }
    try {
      const result = schema['~standard'].validate(input)
      return isThenable(result) ? Promise.resolve(result).then(verdictOf, failed) : verdictOf(result)
    } catch (thrown) {
      return failed(thrown)
    }
  }
  return {
    async process(batch) {
      const kept: unknown[] = []
      const picked: number[] = []
      const dead: DeadLetter[] = []
      for (let index = 0; index < batch.records.length; index++) {
        const record = batch.records[index]
        const given = inputOf(record)
        const outcome = 'input' in given ? judge(batch, index, given.input) : given
        const verdict = isThenable(outcome) ? await context.awaitUser(Promise.resolve(outcome), 'the schema') : outcome
        if (verdict.valid) {
          invalidInRow = 0
          kept.push(verdict.value)
          picked.push(index)
          continue
        }
        if (onInvalid === 'fail') throw refuse(batch, index, verdict.reason)
        context.errors.add(1)
        if (++invalidInRow > invalidInRowMax) {
          throw refuse(
            batch,
            index,
            `${verdict.reason}; ${invalidInRow} invalid records in a row, probably a wrong schema`,
          )
        }
        if (onInvalid === 'dead-letter') {
          const origin = batch.origins?.at(index)
          dead.push({
            step: context.step,
            reason: verdict.reason,
            split: origin?.split,
            position: origin?.position,
            ...rawRecord(record),
          })
        }
      }
      if (dead.length > 0) {
        await context.outputs.side('dead-letter').emit({ kind: 'batch', records: dead, bytes: batch.bytes })
      }
      if (kept.length > 0) await context.outputs.main.emit(pickBatch(batch, kept, picked))
    },
  }
}

/** What the schema gets of a record; a text that is no JSON is an invalid record. */
const inputOf = (record: unknown): { readonly input: unknown } | Verdict => {
  if (!isParsable(record)) return { input: record }
  try {
    return { input: record[parseInput]() }
  } catch (thrown) {
    return { valid: false, reason: asError(thrown).message }
  }
}

const verdictOf = (result: StandardSchemaV1.Result<unknown>): Verdict =>
  result.issues === undefined
    ? { valid: true, value: result.value }
    : { valid: false, reason: result.issues.slice(0, 3).map(issueText).join('; ') }

const issueText = ({ message, path }: StandardSchemaV1.Issue): string => {
  const where = path?.map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
  return where === undefined || where === '' ? message : `${where}: ${message}`
}
