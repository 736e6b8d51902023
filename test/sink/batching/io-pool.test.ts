import { describe, expect, test } from 'vitest'
import { IoPool } from '../../../src/sink/index.ts'

const never = (): AbortSignal => new AbortController().signal
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await undefined
}

/** Tasks that end when they are told to. */
class Tasks {
  readonly started: string[] = []
  readonly #ends = new Map<string, () => void>()

  run =
    (name: string): (() => Promise<string>) =>
    () => {
      this.started.push(name)
      return new Promise((resolve) => this.#ends.set(name, () => resolve(name)))
    }

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.()
    await turns()
  }
}

describe('an I/O pool', () => {
  test('runs as many tasks as it has slots, in the order they came', async () => {
    const tasks = new Tasks()
    const lane = new IoPool(2).lane('a')
    const all = ['1', '2', '3'].map((name) => lane.run(tasks.run(name), never()))
    await turns()
    expect(tasks.started).toEqual(['1', '2'])
    await tasks.end('2')
    expect(tasks.started).toEqual(['1', '2', '3'])
    await tasks.end('1')
    await tasks.end('3')
    expect(await Promise.all(all)).toEqual(['1', '2', '3'])
  })

  test('gives a lane its share, and leaves the other slots to others', async () => {
    const tasks = new Tasks()
    const pool = new IoPool(3)
    const lanes = [pool.lane('a', 2), pool.lane('b', 2)] as const
    for (const name of ['a1', 'a2', 'a3']) void lanes[0].run(tasks.run(name), never())
    for (const name of ['b1', 'b2']) void lanes[1].run(tasks.run(name), never())
    await turns()
    expect(tasks.started.sort()).toEqual(['a1', 'a2', 'b1'])
    expect(pool.running).toBe(3)
    expect(pool.lane('a', 1)).toBe(lanes[0])
  })

  test('takes its slots from a lane whose target does not answer, but for one task beside them', async () => {
    const tasks = new Tasks()
    const pool = new IoPool(2)
    const [broken, fine] = [pool.lane('broken'), pool.lane('fine')]
    for (let failure = 0; failure < 3; failure++) broken.note(false)
    for (const name of ['x1', 'x2']) void broken.run(tasks.run(name), never())
    for (const name of ['f1', 'f2']) void fine.run(tasks.run(name), never())
    await turns()
    expect(tasks.started.sort()).toEqual(['f1', 'f2', 'x1'])
    await tasks.end('f1')
    broken.note(true)
    await tasks.end('x1')
    expect(tasks.started).toContain('x2')
    expect(pool.running).toBe(2)
  })

  test('lets go of a task that waits or runs when its signal aborts, and of its slot', async () => {
    const tasks = new Tasks()
    const lane = new IoPool(1).lane('a')
    const caller = new AbortController()
    const running = lane.run(tasks.run('1'), caller.signal)
    const waiting = lane.run(tasks.run('2'), caller.signal)
    const other = lane.run(tasks.run('3'), never())
    await turns()
    caller.abort(new Error('gave up'))
    await expect(running).rejects.toThrow('gave up')
    await expect(waiting).rejects.toThrow('gave up')
    await turns()
    expect(tasks.started).toEqual(['1', '3'])
    await tasks.end('3')
    expect(await other).toBe('3')
  })

  test('forgets lanes that nobody uses, and no others', async () => {
    const tasks = new Tasks()
    const pool = new IoPool(4)
    const used = pool.lane('used')
    void used.run(tasks.run('1'), never())
    const idle = pool.lane('idle')
    for (let index = 0; index < 1024; index++) pool.lane(`lane ${index}`)
    expect(pool.lane('used')).toBe(used)
    expect(pool.lane('idle')).not.toBe(idle)
  })
})
