/**
 * What the files of a user look like to the compiler: types that flow without annotations, and mistakes that do not
 * compile. package.test.ts compiles it outside this repository, against the packed declarations.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { isMillraceError, type Job, type JobHandle, job, run, valueState } from 'millrace'
import { fileSink, filesSource } from 'millrace/files'
import { arraySource, collectSink, printSink } from 'millrace/memory'
import { type MemoryEnvironment, memoryEnvironment } from 'millrace/testing'

interface Visit {
  readonly path: string
  readonly ms: number
}

declare const visits: StandardSchemaV1<unknown, Visit>

const options = { checkpoint: { every: '5s', dir: './checkpoints' }, deadLetter: fileSink({ dir: './dead' }) } as const

export const slowPaths: Job = job('slow-paths', options, (flow) => {
  flow
    .from('access', filesSource({ paths: ['access.log'], mode: 'bounded' }))
    .parse(visits, { onInvalid: 'dead-letter' })
    .filter((visit) => visit.ms > 100)
    .keyBy((visit) => visit.path)
    .process('count', {
      state: { count: valueState<number>() },
      each(visit, { state, key }) {
        const count = (state.count.get() ?? 0) + 1
        state.count.set(count)
        return [{ path: key, slowest: visit.ms, count }]
      },
    })
    .to('archive', fileSink({ dir: './out', format: 'jsonl' }))
})

export const start = async (): Promise<string> => {
  const handle: JobHandle = run(slowPaths, { handleSignals: true })
  try {
    await handle.done
    return 'done'
  } catch (error) {
    return isMillraceError(error) ? `${error.code}: ${error.fix}` : 'unknown'
  }
}

export const small = (): readonly number[] => {
  const sink = collectSink<number>()
  job('small', (flow) => flow.from('numbers', arraySource([1, 2, 3])).to('kept', sink))
  return sink.records
}

export const testKit = (): MemoryEnvironment => memoryEnvironment({ seed: 1 })

// A job that promises exactly-once takes no sink that cannot give it.
job('promise', { checkpoint: { every: '5s', dir: './checkpoints' } }, (flow) =>
  // @ts-expect-error printSink is at-least-once
  flow.from('numbers', arraySource([1])).to('printed', printSink()),
)

// Dead letters need a place to go.
job('letters', { checkpoint: { every: '5s', dir: './checkpoints' } }, (flow) =>
  flow
    .from('access', filesSource({ paths: ['access.log'], mode: 'bounded' }))
    // @ts-expect-error the job has no deadLetter sink
    .parse(visits, { onInvalid: 'dead-letter' }),
)

// A sink takes the records that reach it.
// @ts-expect-error the records are strings
job('types', (flow) => flow.from('words', arraySource(['a'])).to('kept', collectSink<number>()))

// Durations have a unit.
// @ts-expect-error there is no unit called "parsec"
job('units', { checkpoint: { every: '5 parsec', dir: './checkpoints' } }, () => undefined)
