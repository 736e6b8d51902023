import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SlsSourceOptions } from '../../../../src/connectors/sls/index.ts'
import { InvalidRun } from '../../../../src/connectors/sls/source/invalid-run.ts'
import { type DeadLetter, fromBase64 } from '../../../../src/core/index.ts'
import { type DriverCheckpoint, type DriverOptions, SourceDriver } from '../../../source/source-driver.ts'
import { messages, type TestLogstores, texts } from './test-logstores.ts'
import { groupOf, poisonous, WrittenShard } from './written-shard.ts'

type Options = Partial<SlsSourceOptions<'logs' | 'groups'>>

const drive = (logstores: TestLogstores, options: Options = {}, more: Omit<DriverOptions, 'environment'> = {}) =>
  new SourceDriver<unknown>(
    logstores.source<'logs' | 'groups'>({ logstore: 'access', onInvalid: 'dead-letter', ...options }),
    { environment: logstores.environment, ...more },
  )

const positions = (letters: readonly DeadLetter[]) => letters.map(({ position }) => position)

describe('dead letters of slsSource', () => {
  it('hold the LogGroup as it came, with step, reason, split and position', async () => {
    for (const records of ['logs', 'groups'] as const) {
      for (const eventTime of ['record', 'received'] as const) {
        const { logstores, shard } = await WrittenShard.open([groupOf('a'), poisonous, groupOf('b')])
        const driver = drive(logstores, { records, eventTime })
        await driver.start()
        await driver.run(100)
        // A whole LogGroup is not looked into when its event time is of the service.
        if (records === 'groups' && eventTime === 'received') {
          expect(driver.taken.length).toBe(3)
          expect(driver.letters).toEqual([])
        } else {
          expect(driver.taken.length).toBe(2)
          expect(driver.letters).toMatchObject([
            {
              step: 'files',
              split: expect.stringMatching(/^proj\/access\/0@/),
              position: shard.cursorAt(1),
              encoding: 'base64',
              reason: expect.stringMatching(/^a LogGroup cannot be decoded: WIRE_MALFORMED: [^\n]+$/),
            },
          ])
          expect(fromBase64(driver.letters[0]?.raw ?? '')).toEqual(poisonous)
        }
        await driver.close()
      }
    }
  })

  it('are cut at 1 MiB, which the reason says', async () => {
    const large = new Uint8Array(1024 * 1024 + 10)
    large.set([
      0x0a,
      0x80 | ((large.length - 4) % 128),
      0x80 | (((large.length - 4) >> 7) % 128),
      (large.length - 4) >> 14,
    ])
    const { logstores } = await WrittenShard.open([large])
    const driver = drive(logstores)
    await driver.start()
    await driver.run(100)
    expect(driver.letters.map(({ raw }) => fromBase64(raw).length)).toEqual([1024 * 1024])
    expect(driver.letters[0]?.reason).toMatch(/; of its 1048586 bytes the first 1048576 are kept$/)
    await driver.close()
  })

  it('come from a shard that has nothing else, and move its position', async () => {
    const { logstores, shard } = await WrittenShard.open([poisonous, poisonous])
    const driver = drive(logstores, { end: 'now' })
    await driver.start()
    await driver.runToEnd()
    expect(positions(driver.letters)).toEqual([shard.cursorAt(0), shard.cursorAt(1)])
    const restore = driver.checkpoint()
    await driver.close()
    const again = drive(logstores, { end: 'now' }, { restore })
    await again.start()
    await again.runToEnd()
    expect(again.letters).toEqual([])
    await again.close()
  })

  it('come exactly once, wherever the source goes down and goes on, with and without a query', async () => {
    const someGroup = fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 1, max: 3 }))
    const someRun = fc.record({
      sizes: fc.array(someGroup, { minLength: 1, maxLength: 10 }),
      batchRecordsMax: fc.integer({ min: 1, max: 4 }),
      // How much the service gives at once may change while a pull is given out.
      answers: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
      polls: fc.integer({ min: 1, max: 3 }),
      records: fc.constantFrom('logs' as const, 'groups' as const),
      query: fc.constantFrom(undefined, 'not here'),
    })
    await fc.assert(
      fc.asyncProperty(someRun, async ({ sizes, batchRecordsMax, answers, polls, records, query }) => {
        // A size of 0 stands for a LogGroup that cannot be decoded.
        const groups = sizes.map((size, index) => (size === 0 ? poisonous : groupOf(...messages(`g${index}-`, size))))
        const { logstores, shard } = await WrittenShard.open(groups)
        const taken: unknown[] = []
        const letters: DeadLetter[] = []
        const count = records === 'groups' ? sizes.filter((size) => size > 0).length : sizes.reduce((a, b) => a + b, 0)
        let restore: DriverCheckpoint | undefined
        for (let round = 0, given = 1; given > 0; round++) {
          const driver = drive(logstores, { records, query }, { restore, batchRecordsMax })
          shard.answerGroupsMax = answers[round % answers.length] ?? 1
          await driver.start()
          for (let poll = 0; poll < polls; poll++) {
            for (let turn = 0; turn < 4; turn++) await logstores.environment.clock.advance(5)
            driver.poll()
          }
          given = driver.taken.length + driver.letters.length
          taken.push(...driver.taken)
          letters.push(...driver.letters)
          restore = driver.checkpoint()
          await driver.close()
        }
        expect(taken.length).toBe(count)
        if (records === 'logs') expect(texts(taken)).toEqual(sizes.flatMap((n, index) => messages(`g${index}-`, n)))
        const poisoned = sizes.flatMap((size, index) => (size === 0 ? [shard.cursorAt(index)] : []))
        if (query === undefined) expect(positions(letters)).toEqual(poisoned)
        else expect(letters.length).toBe(poisoned.length)
      }),
      { numRuns: 30 },
    )
  })

  it('are in the snapshot together with the record they come before, and not earlier', async () => {
    const { logstores, shard } = await WrittenShard.open([groupOf('a'), poisonous, groupOf('b')])
    const driver = drive(logstores, {}, { batchRecordsMax: 1 })
    await driver.start()
    await logstores.environment.clock.advance(20)
    expect(texts(driver.poll())).toEqual(['a'])
    expect(driver.letters).toEqual([])
    expect(driver.splits()).toMatchObject([{ cursor: shard.begin + 1n, skip: 0 }])
    expect(texts(driver.poll())).toEqual(['b'])
    expect(driver.letters.length).toBe(1)
    expect(driver.splits()).toMatchObject([{ cursor: shard.begin + 3n, skip: 0 }])
    await driver.close()
  })
})

describe('LogGroups that cannot be decoded', () => {
  it('fail the job when there are too many in a row, whatever the policy', async () => {
    for (const onInvalid of ['skip', 'dead-letter'] as const) {
      const groups = [groupOf('a'), poisonous, poisonous, groupOf('b'), poisonous, poisonous, poisonous, groupOf('c')]
      const { logstores, shard } = await WrittenShard.open(groups)
      const driver = drive(logstores, { onInvalid, invalidInRowMax: 2, pullGroupsMax: 2 })
      await driver.start()
      const failure: unknown = await driver.run(1_000).catch((error: unknown) => error)
      expect(failure).toMatchObject({
        code: 'RECORD_INVALID',
        remedy: 'stop',
        place: { position: shard.cursorAt(6), option: 'invalidInRowMax' },
      })
      expect(String(failure)).toMatch(/3 LogGroups in a row cannot be decoded/)
      expect(texts(driver.taken)).toEqual(['a', 'b'])
      await driver.close()
    }
  })

  it('are counted from one pull to the next, and not twice when a pull is made again', () => {
    const run = new InvalidRun()
    run.begin(10n)
    expect([run.invalid(), run.invalid()]).toEqual([1, 2])
    run.end(12n)
    run.begin(12n)
    expect(run.invalid()).toBe(3)
    run.end(13n)
    // What was fetched ahead was dropped.
    run.begin(12n)
    expect(run.invalid()).toBe(1)
    run.valid()
    expect(run.invalid()).toBe(1)
  })
})
