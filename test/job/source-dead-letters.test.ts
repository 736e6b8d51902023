import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { arraySource, collectSink } from '../../src/connectors/memory/index.ts'
import type { DeadLetter } from '../../src/core/index.ts'
import { type Flow, job, type Wiring } from '../../src/job/index.ts'
import { rateLimited, type Source } from '../../src/source/index.ts'
import { checkpoint } from './totals.ts'

const poisonous: Source<number, 'exactly-once', true> = { ...arraySource([1]), deadLetters: true }

const withLetters = (parallelism: number, from: Source<number, 'exactly-once', true> = poisonous) =>
  job('poisoned', { checkpoint, deadLetter: collectSink<DeadLetter>() }, (flow) => {
    flow
      .from('in', from, { parallelism })
      .parse(z.number(), { onInvalid: 'dead-letter' })
      .to('out', collectSink<number>())
  })

describe('a source that gives dead letters', () => {
  test('is refused in a job that has no sink for them, with the fix', () => {
    const build = (flow: Flow<Wiring<'best-effort', false>>): void => {
      // @ts-expect-error the job has no deadLetter
      flow.from('the source', poisonous).to('out', collectSink<number>())
    }
    expect(() => job('poisoned', build)).toThrow(
      /JOB_GRAPH_INVALID.*what 'the source' cannot use goes to 'dead-letter', but the job has no dead-letter sink\n.*fix: add deadLetter: fileSink/s,
    )
  })

  test('has an edge to that sink, which explain() shows', () => {
    for (const source of [poisonous, rateLimited(poisonous, 10)]) {
      expect(withLetters(2, source).explain().edges).toContainEqual({
        from: 'in',
        to: 'dead-letter',
        output: 'dead-letter',
        how: 'rebalance',
      })
    }
    expect(withLetters(1).explain().toString()).toMatch(
      /^ {2}in +source .* → parse \(chained\), dead-letter → dead-letter/m,
    )
  })

  test('still needs somebody who takes its records', () => {
    const build = (): unknown =>
      job('poisoned', { checkpoint, deadLetter: collectSink<DeadLetter>() }, (flow) => {
        flow.from('in', poisonous)
      })
    expect(build).toThrow(/the stream of 'in' goes nowhere/)
  })
})
