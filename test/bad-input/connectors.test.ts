import { beforeEach, describe, expect, test } from 'vitest'
import { fileSink, filesSource, type Line } from '../../src/connectors/files/index.ts'
import { type Job, job } from '../../src/job/index.ts'
import type { OpenSink, Sink } from '../../src/sink/index.ts'
import type { OpenSource, Source } from '../../src/source/index.ts'
import { allLines, expectGoesOn, linesJob, putInput, written } from './lines-job.ts'
import { expectComplaint, Machine } from './machine.ts'

let machine: Machine
beforeEach(() => {
  machine = new Machine()
  putInput(machine)
})

type Where = 'open' | 'createEnumerator' | 'start' | 'createReader' | 'createWriter' | 'createCommitter'

/** Throws as long as there is something wrong. */
class Trouble {
  left = Number.POSITIVE_INFINITY
  readonly where: Where

  constructor(where: Where) {
    this.where = where
  }

  strike(where: Where): void {
    if (where === this.where && this.left-- > 0) throw new RangeError('no luck')
  }
}

const brokenSource = (trouble: Trouble): Source<Line> => {
  const source = filesSource({ paths: 'in', readBytes: 64 })
  return {
    ...source,
    open: (context) => {
      trouble.strike('open')
      const open = source.open(context)
      const broken: OpenSource<Line> = {
        ...open,
        createEnumerator: (enumeratorContext, restored) => {
          trouble.strike('createEnumerator')
          const enumerator = open.createEnumerator(enumeratorContext, restored)
          const start = enumerator.start.bind(enumerator)
          enumerator.start = async () => {
            trouble.strike('start')
            await start()
          }
          return enumerator
        },
        createReader: (readerContext) => {
          trouble.strike('createReader')
          return open.createReader(readerContext)
        },
      }
      return broken
    },
  }
}

const brokenSink = (trouble: Trouble): Sink<string> => {
  const sink = fileSink<string>({ dir: 'out', format: 'text' })
  return {
    ...sink,
    open: (context) => {
      trouble.strike('open')
      const open = sink.open(context)
      const broken: OpenSink<string> = {
        ...open,
        createWriter: async (writerContext, restored) => {
          trouble.strike('createWriter')
          return await open.createWriter(writerContext, restored)
        },
        createCommitter: async () => {
          trouble.strike('createCommitter')
          const committer = await open.createCommitter?.()
          if (committer === undefined) throw new Error('the file sink has a committer')
          return committer
        },
      }
      return broken
    },
  }
}

const options = { checkpoint: { dir: 'ck', every: '20ms' }, batchRecords: 8, guarantee: 'best-effort' } as const
const withSource = (trouble: Trouble, restart: 'none' | { strategy: 'fixed'; attempts: number } = 'none'): Job =>
  job('lines', { ...options, restart }, (flow) =>
    flow
      .from('lines', brokenSource(trouble))
      .map((line) => line.text)
      .to('out', fileSink({ dir: 'out', format: 'text' })),
  )
const withSink = (trouble: Trouble, restart: 'none' | { strategy: 'fixed'; attempts: number } = 'none'): Job =>
  job('lines', { ...options, restart }, (flow) =>
    flow
      .from('lines', filesSource({ paths: 'in', readBytes: 64 }))
      .map((line) => line.text)
      .to('out', brokenSink(trouble)),
  )

describe('a source', () => {
  test.each<[Where, object]>([
    ['open', {}],
    ['createEnumerator', {}],
    ['start', {}],
    ['createReader', { subtaskIndex: 0 }],
  ])(
    'whose %s throws fails the job with its name, and passes when it does not throw any more',
    async (where, place) => {
      const trouble = new Trouble(where)
      expectComplaint(await machine.complaint(withSource(trouble)), {
        code: 'SOURCE_UNAVAILABLE',
        exitCode: 1,
        place: { job: 'lines', step: 'lines', ...place },
        message: new RegExp(`${where} of the source threw RangeError: no luck`),
        fix: /correct the source/,
      })
      trouble.left = 2
      await machine.finish(withSource(trouble, { strategy: 'fixed', attempts: 3 }))
      expect(written(machine)).toEqual(allLines)
    },
  )
})

describe('a sink', () => {
  test.each<[Where, object]>([
    ['open', {}],
    ['createWriter', { subtaskIndex: 0 }],
    ['createCommitter', {}],
  ])(
    'whose %s throws fails the job with its name, and passes when it does not throw any more',
    async (where, place) => {
      await machine.killAfter(linesJob(), 4)
      const trouble = new Trouble(where)
      expectComplaint(await machine.complaint(withSink(trouble)), {
        code: 'SINK_UNAVAILABLE',
        exitCode: 1,
        place: { job: 'lines', step: 'out', ...place },
        message: new RegExp(`${where} of the sink threw RangeError: no luck`),
        fix: /correct the sink/,
      })
      trouble.left = 2
      await machine.finish(withSink(trouble, { strategy: 'fixed', attempts: 3 }))
      expect(written(machine)).toEqual(allLines)
      await expectGoesOn(machine, linesJob())
    },
  )
})

describe('an attempt that fails while it is put together', () => {
  test('closes the readers and writers it had made already', async () => {
    let open = 0
    const counted = <P extends { close(): Promise<void> }>(part: P): P => {
      open++
      let closed = false
      const close = part.close.bind(part)
      part.close = async () => {
        if (!closed) open--
        closed = true
        await close()
      }
      return part
    }
    const source = filesSource({ paths: 'in' })
    const sink = fileSink<string>({ dir: 'out', format: 'text' })
    let failures = 3
    const counting = job('lines', { ...options, parallelism: 2, restart: { strategy: 'fixed', attempts: 3 } }, (flow) =>
      flow
        .from('lines', {
          ...source,
          open: (context) => {
            const parts = source.open(context)
            return { ...parts, createReader: (reader) => counted(parts.createReader(reader)) }
          },
        })
        .map((line) => line.text)
        .to('out', {
          ...sink,
          open: (context) => {
            const parts = sink.open(context)
            return {
              ...parts,
              createWriter: async (writer, restored) => {
                if (writer.subtask === 1 && failures-- > 0) throw new RangeError('no luck')
                return counted(await parts.createWriter(writer, restored))
              },
            }
          },
        }),
    )
    await machine.finish(counting)
    expect(written(machine)).toEqual(allLines)
    expect(open).toBe(0)
  })
})
