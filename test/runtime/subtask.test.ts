import { describe, expect, test } from 'vitest'
import type { CheckpointWriter } from '../../src/checkpoint/index.ts'
import { batchOf, type CheckpointId, checkpointId, MetricRegistry, type RecordBatch } from '../../src/core/index.ts'
import { BoundedChannel } from '../../src/runtime/bounded-channel.ts'
import { InputGate } from '../../src/runtime/input-gate.ts'
import type { Operator } from '../../src/runtime/operator.ts'
import { OperatorChain } from '../../src/runtime/operator-chain.ts'
import { noProgressMark } from '../../src/runtime/progress-mark.ts'
import type { RecordWriter } from '../../src/runtime/record-writer.ts'
import { Subtask, type SubtaskStatus, type SubtaskSupervisor } from '../../src/runtime/subtask.ts'
import { VirtualClock } from '../../src/testing/index.ts'
import { MemoryWriter } from './memory-writer.ts'
import { failureOf } from './operator-bench.ts'

const id = checkpointId

/** A subtask with one step, one input channel, and an ear on everything it does. */
const open = (change: Partial<Operator> = {}) => {
  const heard: string[] = []
  const clock = new VirtualClock()
  const controller = new AbortController()
  const channel = new BoundedChannel({ batchesMax: 100, bytesMax: 1_000_000 })
  const writers = new Map<CheckpointId, CheckpointWriter>()
  const operator: Operator = {
    process: (batch: RecordBatch) => void heard.push(`records ${batch.records.join()}`),
    prepareBarrier: async (checkpoint, ended) => void heard.push(`prepare ${checkpoint}${ended ? ' at the end' : ''}`),
    snapshot: (checkpoint) => {
      heard.push(`snapshot ${checkpoint}`)
      return {
        uid: 'step',
        committables: [`receipt ${checkpoint}`],
        persist: async (writer) => [
          await writer.writePart({ uid: 'step', kind: 'keyed', serializer: 's', version: 1 }, new Uint8Array()),
        ],
        abandon: () => heard.push(`abandoned ${checkpoint}`),
      }
    },
    endInput: async () => void heard.push('end of input'),
    notifyCheckpointComplete: (checkpoint) => void heard.push(`complete ${checkpoint}`),
    notifyCheckpointAborted: (checkpoint) => void heard.push(`aborted ${checkpoint}`),
    ...change,
  }
  const writer: RecordWriter = {
    emit: () => undefined,
    broadcast: (element) => void heard.push(`→ ${element.kind}${'id' in element ? ` ${element.id}` : ''}`),
  }
  const chain = new OperatorChain(
    'step',
    { emit: (batch) => operator.process(batch) },
    [{ name: 'step', operator }],
    [writer],
  )
  const supervisor: SubtaskSupervisor = {
    checkpointWriter: (checkpoint) => writers.get(checkpoint),
    collect: (uid, checkpoint, receipts) => void heard.push(`collected ${uid} ${checkpoint}: ${receipts.join()}`),
    acknowledge: (checkpoint, who, reports) =>
      void heard.push(
        `acknowledged ${checkpoint} ${who}: ${reports.map(({ uid, parts }) => `${uid} ${parts.length}`)}`,
      ),
    decline: (checkpoint, who, cause) => void heard.push(`declined ${checkpoint} ${who}: ${cause.message}`),
    finished: (who) => void heard.push(`finished ${who}`),
  }
  const status: SubtaskStatus = { waitingFor: undefined }
  const registry = new MetricRegistry({ job: 'test' })
  const metrics = {
    idleMs: registry.metric('millrace_idle_ms_total'),
    busyMs: registry.metric('millrace_busy_ms_total'),
    backpressuredMs: registry.metric('millrace_backpressured_ms_total'),
  }
  const subtask = new Subtask({
    participant: 'step/0',
    input: new InputGate([channel], ['up/0']),
    chain,
    clock,
    signal: controller.signal,
    supervisor,
    metrics,
    status,
    mark: noProgressMark,
  })
  const end = async (): Promise<void> => {
    controller.abort(new Error('over'))
    subtask.wake()
    await clock.yield()
  }
  const barrier = (checkpoint: number): void => {
    writers.set(id(checkpoint), new MemoryWriter(checkpoint))
    void channel.send({ kind: 'barrier', id: id(checkpoint) })
  }
  return { heard, clock, channel, subtask, controller, status, metrics, writers, end, barrier }
}

describe('a subtask', () => {
  test('handles what comes in, in order, and waits when there is nothing', async () => {
    const { heard, clock, channel, subtask, end, status } = open()
    const running = subtask.run()
    await clock.yield()
    expect(status.waitingFor).toBe('records from up/0')
    void channel.send(batchOf(['a']))
    void channel.send(batchOf(['b']))
    await clock.yield()
    expect(heard).toEqual(['records a', 'records b'])
    await end()
    await running
  })

  test('at a barrier lets its steps prepare, passes the barrier on, takes their state, and then writes it aside', async () => {
    const { heard, clock, channel, subtask, end, barrier } = open()
    void subtask.run()
    void channel.send(batchOf(['a']))
    barrier(1)
    void channel.send(batchOf(['b']))
    await clock.yield()
    expect(heard).toEqual([
      'records a',
      'prepare 1',
      '→ barrier 1',
      'snapshot 1',
      'collected step 1: receipt 1',
      'records b',
      'acknowledged 1 step/0: step 1',
    ])
    await end()
  })

  test('declines a checkpoint that nobody wants any more, keeps the receipts, and goes on', async () => {
    const { heard, clock, channel, subtask, end } = open()
    void subtask.run()
    void channel.send({ kind: 'barrier', id: id(1) })
    void channel.send(batchOf(['a']))
    await clock.yield()
    expect(heard.slice(2)).toEqual([
      'snapshot 1',
      'collected step 1: receipt 1',
      'abandoned 1',
      'declined 1 step/0: checkpoint 1 was given up before its barrier came',
      'records a',
    ])
    await end()
  })

  test('declines a checkpoint whose state cannot be written, and goes on', async () => {
    const { heard, clock, channel, subtask, end, barrier, writers } = open()
    void subtask.run()
    barrier(1)
    const writer = writers.get(id(1))
    if (writer instanceof MemoryWriter) writer.before = () => Promise.reject(new Error('no space left'))
    await clock.yield()
    void channel.send(batchOf(['a']))
    await clock.yield()
    expect(heard.slice(-3)).toEqual(['abandoned 1', 'declined 1 step/0: no space left', 'records a'])
    await end()
  })

  test('fails when its steps cannot prepare for a barrier, or cannot give their state', async () => {
    const broken = new Error('cannot flush')
    const flushing = open({ prepareBarrier: () => Promise.reject(broken) })
    flushing.barrier(1)
    expect(await failureOf(() => flushing.subtask.run())).toBe(broken)
    const snapshotting = open({
      snapshot: () => {
        throw broken
      },
    })
    snapshotting.barrier(1)
    expect(await failureOf(() => snapshotting.subtask.run())).toBe(broken)
  })

  test('fails with what a step throws or rejects with', async () => {
    const broken = new Error('boom')
    for (const process of [
      () => {
        throw broken
      },
      () => Promise.reject(broken),
    ]) {
      const { channel, subtask } = open({ process })
      void channel.send(batchOf(['a']))
      expect(await failureOf(() => subtask.run())).toBe(broken)
    }
  })

  test('hears between two batches what became of a checkpoint', async () => {
    let letGo = (): void => {}
    const { heard, clock, channel, subtask, end } = open({
      process: () =>
        new Promise((resolve) => {
          letGo = resolve
        }),
    })
    void subtask.run()
    void channel.send(batchOf(['a']))
    await clock.yield()
    subtask.notify({ kind: 'completed', id: id(1) })
    subtask.notify({ kind: 'aborted', id: id(2) })
    await clock.yield()
    expect(heard).toEqual([])
    letGo()
    await clock.yield()
    expect(heard).toEqual(['complete 1', 'aborted 2'])
    await end()
  })

  test('passes on that a checkpoint is cancelled', async () => {
    const { heard, clock, channel, subtask, end } = open()
    void subtask.run()
    void channel.send({ kind: 'checkpoint-cancelled', id: id(3) })
    await clock.yield()
    expect(heard).toEqual(['→ checkpoint-cancelled 3'])
    await end()
  })

  test('ends its input, says that nothing follows, and stays for barriers', async () => {
    const { heard, clock, channel, subtask, end, barrier, status } = open()
    void subtask.run()
    void channel.send(batchOf(['a']))
    void channel.send({ kind: 'end-of-input' })
    await clock.yield()
    expect(heard).toEqual(['records a', 'end of input', '→ end-of-input', 'finished step/0'])
    expect(status.waitingFor).toBe('the end of the job')
    barrier(9)
    await clock.yield()
    expect(heard).toContain('prepare 9 at the end')
    expect(heard).toContain('acknowledged 9 step/0: step 1')
    await end()
  })

  test('fires timers when they are due, and none behind the end of its input', async () => {
    let due: number | undefined
    const { heard, clock, channel, subtask, end } = open({
      nextTimerMs: () => due,
      fireTimers: async (now) => {
        heard.push(`timers ${now - startMs}`)
        due = undefined
      },
    })
    const startMs = clock.wallMs()
    due = startMs + 500
    void subtask.run()
    await clock.advance(499)
    expect(heard).toEqual([])
    await clock.advance(1)
    expect(heard).toEqual(['timers 500'])
    due = startMs + 1_000
    void channel.send({ kind: 'end-of-input' })
    await clock.advance(5_000)
    expect(heard.filter((what) => what.startsWith('timers'))).toHaveLength(1)
    await end()
  })

  test('waits for a timer that is years away without a flood of wake-ups', async () => {
    const { clock, subtask, end } = open({ nextTimerMs: () => clock.wallMs() + 1e12, fireTimers: () => {} })
    void subtask.run()
    await clock.advance(3 * 3_600_000)
    expect(clock.pendingTimers).toBe(1)
    await end()
    expect(clock.pendingTimers).toBe(0)
  })

  test('gives the event loop its turn although there is always more to do', async () => {
    const { channel, clock, heard, subtask, end } = open()
    for (let n = 0; n < 99; n++) void channel.send(batchOf([n]))
    void subtask.run()
    await Promise.resolve()
    expect(heard.length).toBeLessThan(99)
    await clock.yield()
    await clock.yield()
    expect(heard).toHaveLength(99)
    await end()
  })

  test('books its time as idle, busy or waiting for room', async () => {
    let letGo = (): void => {}
    const { clock, channel, subtask, metrics, end } = open({
      process: () =>
        new Promise((resolve) => {
          letGo = resolve
        }),
    })
    void subtask.run()
    await clock.advance(300)
    void channel.send(batchOf(['a']))
    await clock.advance(50)
    letGo()
    await clock.yield()
    await clock.advance(1_000)
    await end()
    expect(metrics.idleMs.value).toBe(1_300)
    expect(metrics.backpressuredMs.value).toBe(50)
    expect(metrics.busyMs.value).toBe(0)
  })

  test('ends at once when its attempt does, also while it waits', async () => {
    const { subtask, clock, end, channel, heard } = open()
    let ended = false
    void subtask.run().then(() => {
      ended = true
    })
    await clock.yield()
    await end()
    expect(ended).toBe(true)
    void channel.send(batchOf(['a']))
    await clock.yield()
    expect(heard).toEqual([])
  })
  test('hears of a checkpoint that completed at the moment its attempt ended', async () => {
    const { subtask, clock, end, heard } = open()
    void subtask.run()
    await clock.yield()
    subtask.notify({ kind: 'completed', id: id(1) })
    await end()
    expect(heard).toEqual(['complete 1'])
  })
})
