import fc from 'fast-check'
import { expect, test } from 'vitest'
import { collectSink } from '../../../../src/connectors/memory/index.ts'
import type { Log } from '../../../../src/connectors/sls/index.ts'
import type { DeadLetter } from '../../../../src/core/index.ts'
import { job } from '../../../../src/job/index.ts'
import { Machine, until } from '../../../job/harness.ts'
import { messages } from './test-logstores.ts'
import { groupOf, poisonous, WrittenShard } from './written-shard.ts'

test('a job writes every log and every dead letter once, wherever it fails', async () => {
  const someRun = fc.record({
    sizes: fc.array(fc.nat(3), { minLength: 1, maxLength: 12, size: 'max' }),
    failures: fc.uniqueArray(fc.integer({ min: 1, max: 25 }), { maxLength: 3 }),
    every: fc.constantFrom('50ms' as const, '300ms' as const),
    batchRecords: fc.integer({ min: 1, max: 3 }),
    unreadable: fc.nat(11),
  })
  await fc.assert(
    fc.asyncProperty(someRun, async ({ sizes, failures, every, batchRecords, unreadable }) => {
      const machine = new Machine()
      const groups = sizes.map((size, index) => (size === 0 ? poisonous : groupOf(...messages(`g${index}-`, size))))
      const { logstores, shard } = await WrittenShard.open(groups)
      shard.unreadable.add(unreadable)
      const poisoned = (index: number): boolean => sizes[index] === 0 || (index === unreadable && index < sizes.length)
      const sink = collectSink<string>()
      const dead = collectSink<DeadLetter>()
      const left = new Set(failures)
      let seen = 0
      const options = {
        checkpoint: { dir: '/checkpoints', every },
        restart: { strategy: 'fixed', attempts: 5, delay: '100ms' },
        batchRecords,
        deadLetter: dead,
      } as const
      const handle = machine.start(
        job('poisoned', options, (flow) => {
          flow
            .from('access', logstores.source({ logstore: 'access', onInvalid: 'dead-letter', pullGroupsMax: 4 }))
            .map((log: Log) => {
              if (left.delete(++seen)) throw new Error(`boom at ${seen}`)
              return log.get('message') ?? ''
            })
            .to('out', sink)
        }),
      )
      const wanted = sizes.flatMap((size, index) => (poisoned(index) ? [] : messages(`g${index}-`, size)))
      const letters = sizes.flatMap((_, index) => (poisoned(index) ? [shard.cursorAt(index)] : []))
      await until(machine, () => sink.records.length >= wanted.length && dead.records.length >= letters.length)
      await machine.finish(handle.stop())
      expect(sink.records).toEqual(wanted)
      expect(dead.records.map(({ position }) => position)).toEqual(letters)
      expect(new Set(dead.records.map(({ step }) => step))).toEqual(new Set(letters.length > 0 ? ['access'] : []))
    }),
    { numRuns: 15 },
  )
})
