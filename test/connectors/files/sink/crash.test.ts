import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CheckpointAction, type JobPlan, type JobRun, runCrashingJob } from './crashing-job.ts'

const records = Array.from({ length: 18 }, (_, index) => `record ${index}`)
const partition = (record: string): string => `p=${record.slice(-1)}`

const plan: JobPlan = {
  options: { partition, openPartsMax: 3, buffer: 12, roll: { size: 24 } },
  records,
  batchSizes: [3, 1, 5],
  batchesPerCheckpoint: [2, 0, 1],
  actions: ['commit', 'lose notification', 'give up', 'commit twice'],
  parallelism: [2, 1, 3],
  crashes: [],
}

const expectComplete = ({ bench }: JobRun, expected: readonly string[]): void => {
  const lines = Object.values(bench.visible()).flatMap((text) => text.slice(0, -1).split('\n'))
  expect(lines.sort()).toEqual([...expected].sort())
  expect(bench.hidden()).toEqual([])
}

describe('fileSink under crashes (F01, F02, F03; conf-K10, conf-K11, conf-K12)', () => {
  test('a run without a crash shows every record once', async () => {
    const run = await runCrashingJob(plan)
    expect(run.attempts).toBe(1)
    expectComplete(run, records)
  })

  test('a crash at any single call, then a restart: every record once, at any moment, for any reader', async () => {
    const { calls } = await runCrashingJob(plan)
    expect(calls).toBeGreaterThan(200)
    for (let at = 0; at < calls; at++) {
      const run = await runCrashingJob({ ...plan, crashes: [at] })
      expect(run.attempts).toBe(2)
      expectComplete(run, records)
    }
  })

  test('a power loss at any single call, whatever of the unsynced survives', async () => {
    const { calls } = await runCrashingJob(plan)
    for (let at = 0; at < calls; at++) {
      expectComplete(await runCrashingJob({ ...plan, crashes: [at], powerLoss: at }), records)
    }
  })

  test('a second crash during recovery', async () => {
    for (let first = 60; first < 260; first += 17) {
      for (let second = 0; second < 36; second += 2) {
        const crashes = [first, second]
        expectComplete(await runCrashingJob({ ...plan, crashes, powerLoss: first * 41 + second }), records)
      }
    }
  })

  test('any records, batches, partitions, checkpoints, rescales and crashes', async () => {
    const action = fc.constantFrom<CheckpointAction>('commit', 'lose notification', 'commit twice', 'give up')
    const plans = fc.record({
      count: fc.integer({ min: 0, max: 60 }),
      partitions: fc.integer({ min: 0, max: 9 }),
      openPartsMax: fc.integer({ min: 1, max: 5 }),
      buffer: fc.integer({ min: 1, max: 100 }),
      size: fc.integer({ min: 1, max: 200 }),
      batchSizes: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
      batchesPerCheckpoint: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 }),
      actions: fc.array(action, { minLength: 1, maxLength: 5 }),
      parallelism: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
      crashes: fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 4 }),
      powerLoss: fc.option(fc.integer()),
    })
    await fc.assert(
      fc.asyncProperty(plans, async (drawn) => {
        fc.pre(drawn.batchesPerCheckpoint.some((count) => count > 0))
        const { count, partitions, openPartsMax, buffer, size, powerLoss, ...rest } = drawn
        const given = Array.from({ length: count }, (_, index) => `${index}`)
        const run = await runCrashingJob({
          ...rest,
          options: {
            openPartsMax,
            buffer,
            roll: { size },
            partition: partitions === 0 ? undefined : (record) => `p=${Number(record) % partitions}/q=${record.length}`,
          },
          records: given,
          powerLoss: powerLoss ?? undefined,
        })
        expectComplete(run, given)
      }),
      { numRuns: 150 },
    )
  })
})
