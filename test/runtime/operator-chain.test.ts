import { describe, expect, test } from 'vitest'
import { batchOf, checkpointId, type RecordBatch } from '../../src/core/index.ts'
import type { Operator, Output } from '../../src/runtime/operator.ts'
import { fanOut, OperatorChain, outputsOf } from '../../src/runtime/operator-chain.ts'
import type { RecordWriter } from '../../src/runtime/record-writer.ts'
import { failureOf } from './operator-bench.ts'

const collecting = (heard: string[], name: string, wait?: () => Promise<void>): Output => ({
  emit(batch: RecordBatch) {
    heard.push(`${name}: ${batch.records.join(' ')}`)
    return wait?.()
  },
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('fanOut', () => {
  test('hands each batch to every output, in order, and waits for one before it goes on to the next', async () => {
    const heard: string[] = []
    let letGo = (): void => {}
    const slow = (): Promise<void> =>
      new Promise((resolve) => {
        letGo = resolve
      })
    const all = fanOut([collecting(heard, 'a'), collecting(heard, 'b', slow), collecting(heard, 'c')])
    const done = all.emit(batchOf([1]))
    await turn()
    expect(heard).toEqual(['a: 1', 'b: 1'])
    letGo()
    await done
    expect(heard).toEqual(['a: 1', 'b: 1', 'c: 1'])
  })

  test('does not wait when no output does', () => {
    const heard: string[] = []
    expect(fanOut([collecting(heard, 'a'), collecting(heard, 'b')]).emit(batchOf([1]))).toBeUndefined()
    expect(heard).toEqual(['a: 1', 'b: 1'])
  })

  test('stops at the first output that fails', async () => {
    const heard: string[] = []
    const failing = collecting(heard, 'b', () => Promise.reject(new Error('full')))
    const all = fanOut([collecting(heard, 'a'), failing, collecting(heard, 'c')])
    expect(await failureOf(() => all.emit(batchOf([1])))).toMatchObject({ message: 'full' })
    expect(heard).toEqual(['a: 1', 'b: 1'])
  })

  test('to nobody swallows the batch', () => {
    expect(fanOut([]).emit(batchOf([1]))).toBeUndefined()
  })

  test('to one output is that output', () => {
    const only = collecting([], 'a')
    expect(fanOut([only])).toBe(only)
  })
})

describe('the outputs of a step', () => {
  test('are found by name, and one that nobody consumes swallows what it gets', () => {
    const heard: string[] = []
    const outputs = outputsOf(new Map([['errors', collecting(heard, 'errors')]]))
    void outputs.main.emit(batchOf([1]))
    void outputs.side('unknown').emit(batchOf([2]))
    void outputs.side('errors').emit(batchOf([3]))
    expect(heard).toEqual(['errors: 3'])
  })
})

/** An operator that says what is asked of it. */
const speaking = (heard: string[], name: string, due?: number): Operator => ({
  process: (batch) => void heard.push(`${name} process ${batch.records.join(' ')}`),
  endInput: async () => {
    await turn()
    heard.push(`${name} end`)
  },
  prepareBarrier: async (id, ended) => {
    await turn()
    heard.push(`${name} prepare ${id} ${ended}`)
  },
  snapshot: (id) => {
    heard.push(`${name} snapshot ${id}`)
    return { uid: name, persist: async () => [] }
  },
  notifyCheckpointComplete: (id) => void heard.push(`${name} complete ${id}`),
  notifyCheckpointAborted: (id) => void heard.push(`${name} aborted ${id}`),
  ...(due === undefined ? {} : { nextTimerMs: () => due }),
  fireTimers: async (now) => void heard.push(`${name} timers ${now}`),
  close: async () => void heard.push(`${name} close`),
})

const writer = (heard: string[], name: string): RecordWriter => ({
  emit: () => undefined,
  broadcast: ({ kind }) => void heard.push(`${name} ${kind}`),
})

const open = (dues: readonly (number | undefined)[]) => {
  const heard: string[] = []
  const links = dues.map((due, index) => ({ name: `s${index}`, operator: speaking(heard, `s${index}`, due) }))
  const entry: Output = { emit: (batch) => links[0]?.operator.process(batch) }
  const chain = new OperatorChain('s0', entry, links, [writer(heard, 'w0'), writer(heard, 'w1')])
  return { heard, chain, links }
}

describe('an operator chain', () => {
  const id = checkpointId(7)

  test('gives records to its first step', () => {
    const { heard, chain } = open([undefined, undefined])
    void chain.process(batchOf(['a']))
    expect(heard).toEqual(['s0 process a'])
  })

  test('asks every step in order, each after the one before has answered', async () => {
    const { heard, chain } = open([undefined, undefined, undefined])
    await chain.prepareBarrier(id, true)
    await chain.endInput()
    chain.notifyCheckpointComplete(id)
    chain.notifyCheckpointAborted(id)
    expect(heard).toEqual(
      ['prepare 7 true', 'end', 'complete 7', 'aborted 7'].flatMap((what) =>
        ['s0', 's1', 's2'].map((s) => `${s} ${what}`),
      ),
    )
  })

  test('takes the state of all steps at one moment', () => {
    const { heard, chain } = open([undefined, undefined])
    const snapshots = chain.snapshot(id)
    expect(snapshots.map(({ uid }) => uid)).toEqual(['s0', 's1'])
    expect(heard).toEqual(['s0 snapshot 7', 's1 snapshot 7'])
  })

  test('does not ask for the state of a step without one', () => {
    const stateless: Operator = { process() {} }
    const chain = new OperatorChain('s', { emit() {} }, [{ name: 's', operator: stateless }], [])
    expect(chain.snapshot(id)).toEqual([])
  })

  test('sends control elements to every exchange behind it', () => {
    const { heard, chain } = open([undefined])
    chain.broadcast({ kind: 'barrier', id })
    chain.broadcast({ kind: 'end-of-input' })
    expect(heard).toEqual(['w0 barrier', 'w1 barrier', 'w0 end-of-input', 'w1 end-of-input'])
  })

  test('knows the earliest timer of its steps, and fires those that have any', async () => {
    const { heard, chain } = open([undefined, 50, 20])
    expect(chain.nextTimerMs()).toBe(20)
    await chain.fireTimers(60)
    expect(heard).toEqual(['s1 timers 60', 's2 timers 60'])
    expect(open([undefined]).chain.nextTimerMs()).toBeUndefined()
  })

  test('closes every step also when one fails to, and says so', async () => {
    const { heard, chain, links } = open([undefined, undefined, undefined])
    const [, second] = links
    if (second !== undefined) second.operator.close = () => Promise.reject(new Error('stuck'))
    expect(await failureOf(() => chain.close())).toMatchObject({ message: 'stuck' })
    expect(heard).toEqual(['s0 close', 's2 close'])
  })
})
