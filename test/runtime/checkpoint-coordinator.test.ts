import { describe, expect, test } from 'vitest'
import {
  CheckpointCoordinator,
  type CheckpointKind,
  type CheckpointManifest,
  type CheckpointPart,
  type CheckpointSession,
  type CheckpointTarget,
  type CheckpointWriter,
  type CompletedCheckpoint,
  type OperatorState,
} from '../../src/checkpoint/index.ts'
import {
  type CheckpointId,
  checkpointId,
  DataLossError,
  FencedError,
  generation,
  StorageError,
} from '../../src/core/index.ts'
import { VirtualClock } from '../../src/testing/index.ts'
import { MemoryWriter } from './memory-writer.ts'
import { failureOf, type LogLine, rememberingLogger } from './operator-bench.ts'

const manifestOf = (
  id: CheckpointId,
  kind: CheckpointKind,
  operators: readonly OperatorState[],
): CheckpointManifest => ({
  magic: 'millrace-checkpoint',
  formatVersion: 1,
  readerVersion: 1,
  job: 'test',
  checkpointId: id,
  generation: generation(1),
  kind,
  completedAt: '',
  maxParallelism: 128,
  operators,
  channelState: null,
})

class FakeWriter extends MemoryWriter {
  readonly kind: CheckpointKind
  readonly directory: string | undefined
  readonly #hooks: Hooks

  constructor(id: CheckpointId, kind: CheckpointKind, directory: string | undefined, hooks: Hooks) {
    super(id)
    this.kind = kind
    this.directory = directory
    this.#hooks = hooks
  }

  override async publish(operators: readonly OperatorState[]): Promise<CheckpointManifest> {
    await this.#hooks.publish(this.id)
    this.#hooks.heard.push(`published ${this.id}`)
    return manifestOf(this.id, this.kind, operators)
  }

  override async discard(): Promise<void> {
    await super.discard()
    this.#hooks.heard.push(`discarded ${this.id}`)
  }
}

/** What the surroundings do; the default is that all goes well. */
interface Hooks {
  readonly heard: string[]
  begin: (id: CheckpointId) => void
  open: () => void
  publish: (id: CheckpointId) => Promise<void> | void
  completed: (id: CheckpointId) => Promise<void> | void
  retire: (id: CheckpointId) => Promise<void> | void
}

interface Setting {
  readonly participants?: readonly string[]
  readonly intervalMs?: number
  readonly minPauseMs?: number
  readonly timeoutMs?: number
  readonly tolerableFailures?: number
}

const part: CheckpointPart = { kind: 'keyed', subtask: 0, serializer: 's', version: 1, bytes: 40, sha256: '' }

const open = (setting: Setting = {}) => {
  const { participants = ['a', 'b'], intervalMs = 1_000, minPauseMs = 0, timeoutMs = 5_000 } = setting
  const { tolerableFailures = 3 } = setting
  const clock = new VirtualClock()
  const heard: string[] = []
  const hooks: Hooks = {
    heard,
    begin: () => {},
    open: () => {},
    publish: () => {},
    completed: () => {},
    retire: () => {},
  }
  const writers: FakeWriter[] = []
  const lines: LogLine[] = []
  const completed: CompletedCheckpoint[] = []
  const failed: string[] = []
  const failures: Error[] = []
  let newest = 0
  const session: CheckpointSession = {
    generation: generation(1),
    restored: undefined,
    readPart: () => Promise.reject(new Error('nothing to read')),
    carryOver: async () => checkpointId(0),
    cleanUp: async () => {},
    nextId: () => checkpointId(++newest),
    begin: (id, kind, directory): CheckpointWriter => {
      hooks.open()
      const writer = new FakeWriter(id, kind, directory, hooks)
      writers.push(writer)
      return writer
    },
    retire: async (id) => {
      await hooks.retire(id)
      heard.push(`retired ${id}`)
    },
  }
  const target: CheckpointTarget<string> = {
    participants,
    begin: (id, kind) => {
      hooks.begin(id)
      heard.push(`begun ${id} ${kind}`)
    },
    assemble: async (_, reports) => {
      heard.push(`assembled ${[...reports].map(([who, what]) => `${who}=${what}`).join(' ')}`)
      return [{ uid: 'totals', kind: 'keyed', parallelism: 2, parts: [part, { ...part, subtask: 1, bytes: 2 }] }]
    },
    aborted: (id) => void heard.push(`aborted ${id}`),
    completed: async (id) => {
      await hooks.completed(id)
      heard.push(`completed ${id}`)
    },
  }
  const coordinator = new CheckpointCoordinator<string>({
    session,
    target,
    intervalMs,
    minPauseMs,
    timeoutMs,
    tolerableFailures,
    clock,
    log: rememberingLogger(lines),
    onCompleted: (checkpoint) => completed.push(checkpoint),
    onFailed: (id, reason, cause) => failed.push(`${id} ${reason}: ${cause.message}`),
    fail: (error) => failures.push(error),
  })
  const acknowledge = async (id: number, ...who: readonly string[]): Promise<void> => {
    for (const each of who.length === 0 ? participants : who)
      coordinator.acknowledge(checkpointId(id), each, `${each}!`)
    await clock.yield()
  }
  const decline = async (id: number, who: string, cause: Error = new Error('cannot')): Promise<void> => {
    coordinator.decline(checkpointId(id), who, cause)
    await clock.yield()
  }
  return { clock, heard, hooks, writers, lines, completed, failed, failures, coordinator, acknowledge, decline }
}

const id = checkpointId

describe('a checkpoint coordinator', () => {
  test('starts one when the interval has passed, and publishes it when everyone has acknowledged', async () => {
    const { clock, heard, completed, coordinator, acknowledge, failures } = open()
    coordinator.start()
    await clock.advance(999)
    expect(heard).toEqual([])
    await clock.advance(1)
    expect(heard).toEqual(['begun 1 periodic'])
    await clock.advance(250)
    await acknowledge(1, 'a')
    expect(coordinator.missing()).toEqual(['b'])
    await acknowledge(1, 'b')
    expect(heard.slice(1)).toEqual(['assembled a=a! b=b!', 'published 1', 'completed 1', 'retired 1'])
    expect(completed).toMatchObject([{ durationMs: 250, bytes: 42, manifest: { checkpointId: 1, kind: 'periodic' } }])
    expect(coordinator.missing()).toBeUndefined()
    expect(failures).toEqual([])
  })

  test('starts none by itself before it is started, but one that is asked for', async () => {
    const { clock, heard, coordinator, acknowledge } = open()
    await clock.advance(10_000)
    expect(heard).toEqual([])
    const asked = coordinator.request('periodic')
    await clock.yield()
    expect(heard).toEqual(['begun 1 periodic'])
    await acknowledge(1)
    expect((await asked).checkpointId).toBe(1)
    await clock.advance(10_000)
    expect(heard.filter((what) => what.startsWith('begun'))).toHaveLength(1)
  })

  test('has one under way at a time, and makes one of all the ticks it missed', async () => {
    const { clock, heard, coordinator, acknowledge } = open()
    coordinator.start()
    await clock.advance(3_500)
    expect(heard).toEqual(['begun 1 periodic'])
    await acknowledge(1)
    await clock.advance(0)
    expect(heard.filter((what) => what.startsWith('begun'))).toEqual(['begun 1 periodic', 'begun 2 periodic'])
    await acknowledge(2)
    await clock.advance(499)
    expect(heard.at(-1)).toBe('retired 2')
    await clock.advance(1)
    expect(heard.at(-1)).toBe('begun 3 periodic')
  })

  test('starts the next one although output of the last is still being made visible', async () => {
    const { clock, heard, hooks, coordinator, acknowledge } = open()
    hooks.completed = () => new Promise(() => {})
    coordinator.start()
    await clock.advance(1_000)
    await acknowledge(1)
    await clock.advance(1_000)
    expect(heard.at(-1)).toBe('begun 2 periodic')
  })

  test('keeps the pause between the end of one and the start of the next periodic one', async () => {
    const { clock, heard, coordinator, acknowledge } = open({ minPauseMs: 700 })
    coordinator.start()
    await clock.advance(1_900)
    await acknowledge(1)
    await clock.advance(699)
    expect(heard.at(-1)).toBe('retired 1')
    await clock.advance(1)
    expect(heard.at(-1)).toBe('begun 2 periodic')
  })

  test('gives up one that takes too long and names who is missing', async () => {
    const { clock, heard, failed, coordinator, acknowledge, writers, lines } = open()
    coordinator.start()
    await clock.advance(1_000)
    await acknowledge(1, 'a')
    await clock.advance(4_999)
    expect(heard).toEqual(['begun 1 periodic'])
    await clock.advance(1)
    expect(heard.slice(1, 3)).toEqual(['aborted 1', 'discarded 1'])
    expect(failed).toHaveLength(1)
    expect(failed[0]).toContain(
      '1 expired: CHECKPOINT_DECLINED (checkpointId 1): not complete after 5000 ms; waiting for b',
    )
    expect(writers[0]?.discarded).toBe(true)
    expect(lines).toMatchObject([{ level: 'warn', fields: { checkpointId: 1, reason: 'expired' } }])
  })

  test('ignores an acknowledgement that comes too late', async () => {
    const { clock, heard, coordinator, acknowledge } = open()
    coordinator.start()
    await clock.advance(6_000)
    expect(heard).toContain('aborted 1')
    await clock.advance(1_000)
    expect(heard.at(-1)).toBe('begun 2 periodic')
    await acknowledge(1)
    expect(coordinator.missing()).toEqual(['a', 'b'])
    await acknowledge(2, 'a')
    await acknowledge(1, 'b')
    expect(coordinator.missing()).toEqual(['b'])
    expect(heard.filter((what) => what.startsWith('published'))).toEqual([])
  })

  test('has a writer for the checkpoint under way and for no other', async () => {
    const { clock, coordinator, acknowledge, writers } = open()
    coordinator.start()
    expect(coordinator.writer(id(1))).toBeUndefined()
    await clock.advance(1_000)
    expect(coordinator.writer(id(1))).toBe(writers[0])
    expect(coordinator.writer(id(2))).toBeUndefined()
    await acknowledge(1)
    expect(coordinator.writer(id(1))).toBeUndefined()
  })

  test('gives up one that somebody declines, with the reason', async () => {
    const { clock, heard, failed, coordinator, decline, acknowledge } = open()
    coordinator.start()
    await clock.advance(1_000)
    await decline(1, 'b', new Error('state cannot be written'))
    expect(heard.slice(1)).toEqual(['aborted 1', 'discarded 1'])
    expect(failed).toEqual(['1 declined: state cannot be written'])
    await acknowledge(1)
    expect(heard).toHaveLength(3)
  })

  test('ignores a refusal of a stranger, of another checkpoint, and of one who has acknowledged', async () => {
    const { clock, failed, coordinator, decline, acknowledge } = open()
    coordinator.start()
    await clock.advance(1_000)
    await acknowledge(1, 'a')
    await decline(1, 'a')
    await decline(1, 'stranger')
    await decline(7, 'b')
    expect(failed).toEqual([])
    await acknowledge(1, 'b')
    expect(failed).toEqual([])
  })

  test('survives as many failures in a row as are tolerated, and fails the job with the next', async () => {
    const { clock, coordinator, decline, failures } = open({ tolerableFailures: 2 })
    coordinator.start()
    for (const at of [1, 2]) {
      await clock.advance(1_000)
      await decline(at, 'a')
    }
    expect(failures).toEqual([])
    await clock.advance(1_000)
    await decline(3, 'a', new Error('the last straw'))
    expect(failures).toMatchObject([{ code: 'CHECKPOINT_FAILED', remedy: 'restart', place: { checkpointId: 3 } }])
    expect(failures[0]?.message).toContain('3 checkpoints in a row did not complete; the last one: the last straw')
  })

  test('counts failures anew after one that completed', async () => {
    const { clock, coordinator, decline, acknowledge, failures } = open({ tolerableFailures: 1 })
    coordinator.start()
    for (const at of [1, 2, 3, 4, 5, 6]) {
      await clock.advance(1_000)
      if (at % 2 === 1) await decline(at, 'a')
      else await acknowledge(at)
    }
    expect(failures).toEqual([])
  })

  test('takes a failed publication for a failure', async () => {
    const { clock, coordinator, acknowledge, hooks, heard, failed, failures } = open({ tolerableFailures: 0 })
    hooks.publish = () => Promise.reject(new StorageError('STORAGE_FAILED', { message: 'no space left' }))
    coordinator.start()
    await clock.advance(1_000)
    await acknowledge(1)
    expect(heard.slice(2)).toEqual(['aborted 1', 'discarded 1'])
    expect(failed[0]).toContain('1 failed: STORAGE_FAILED: no space left')
    expect(failures).toMatchObject([{ code: 'CHECKPOINT_FAILED' }])
  })

  test('fails the job at once when the failure is one that only a person can mend', async () => {
    const { clock, coordinator, acknowledge, hooks, failures } = open({ tolerableFailures: 100 })
    const fenced = new FencedError('FENCED', { message: 'a newer process owns the directory' })
    hooks.publish = () => Promise.reject(fenced)
    coordinator.start()
    await clock.advance(1_000)
    await acknowledge(1)
    expect(failures).toEqual([fenced])
  })

  test('fails the job at once when an enumerator cannot give its state', async () => {
    const { clock, coordinator, hooks, heard, failures, failed } = open({ tolerableFailures: 100 })
    const broken = new Error('the enumerator is confused')
    hooks.begin = () => {
      throw broken
    }
    coordinator.start()
    await clock.advance(1_000)
    expect(failures).toEqual([broken])
    expect(heard).toEqual(['aborted 1', 'discarded 1'])
    expect(failed).toEqual(['1 failed: the enumerator is confused'])
  })

  test('fails the job when a checkpoint cannot even be begun, and leaves nobody waiting', async () => {
    const { clock, coordinator, hooks, failures } = open()
    const broken = new Error('no session')
    hooks.open = () => {
      throw broken
    }
    expect(await failureOf(() => coordinator.request('periodic'))).toBe(broken)
    await clock.yield()
    expect(failures).toEqual([broken])
    await coordinator.close()
  })

  test('fails the job with what a commit fails with, and answers whoever asked with it', async () => {
    const { clock, coordinator, acknowledge, hooks, failures } = open()
    const lost = new DataLossError('DATA_LOSS', { message: 'a part is gone' })
    hooks.completed = () => Promise.reject(lost)
    const asked = failureOf(() => coordinator.request('final'))
    await clock.yield()
    await acknowledge(1)
    expect(await asked).toBe(lost)
    expect(failures).toEqual([lost])
  })

  test('does not fail the job when old checkpoints cannot be removed, unless they are somebody else’s now', async () => {
    const { clock, coordinator, acknowledge, hooks, failures, lines } = open()
    hooks.retire = () => Promise.reject(new Error('EACCES'))
    coordinator.start()
    await clock.advance(1_000)
    await acknowledge(1)
    expect(failures).toEqual([])
    expect(lines).toMatchObject([{ level: 'warn', fields: { checkpointId: 1, cause: 'EACCES' } }])
    const fenced = new FencedError('FENCED', { message: 'a newer process owns the directory' })
    hooks.retire = () => Promise.reject(fenced)
    await clock.advance(1_000)
    await acknowledge(2)
    expect(failures).toEqual([fenced])
  })
})

describe('a checkpoint that is asked for', () => {
  test('is answered when its output is visible', async () => {
    const { clock, coordinator, acknowledge, hooks } = open()
    let letGo = (): void => {}
    hooks.completed = () =>
      new Promise((resolve) => {
        letGo = resolve
      })
    let answered = false
    const asked = coordinator.request('final').then((manifest) => {
      answered = true
      return manifest
    })
    await clock.yield()
    await acknowledge(1)
    expect(answered).toBe(false)
    letGo()
    expect((await asked).kind).toBe('final')
  })

  test('is the last one: none begins while its output is being made visible', async () => {
    const { clock, coordinator, acknowledge, heard, hooks } = open()
    let letGo = (): void => {}
    coordinator.start()
    const asked = coordinator.request('final')
    await clock.yield()
    hooks.completed = () =>
      new Promise((resolve) => {
        letGo = resolve
      })
    await acknowledge(1)
    await clock.advance(5_000)
    letGo()
    await asked
    expect(heard.filter((what) => what.startsWith('begun'))).toEqual(['begun 1 final'])
  })

  test('waits for the one under way, and goes before the periodic one that is due', async () => {
    const { clock, coordinator, acknowledge, heard } = open()
    coordinator.start()
    await clock.advance(2_500)
    const asked = coordinator.request('final')
    await clock.yield()
    expect(heard).toEqual(['begun 1 periodic'])
    await acknowledge(1)
    await clock.yield()
    expect(heard.filter((what) => what.startsWith('begun'))).toEqual(['begun 1 periodic', 'begun 2 final'])
    await acknowledge(2)
    await asked
  })

  test('is refused when it is given up, with the checkpoint and the reason', async () => {
    const { clock, coordinator, decline } = open()
    const asked = failureOf(() => coordinator.request('periodic'))
    await clock.yield()
    await decline(1, 'a', new Error('not now'))
    expect(await asked).toMatchObject({
      code: 'CHECKPOINT_DECLINED',
      place: { checkpointId: 1 },
      cause: { message: 'not now' },
    })
  })

  test('is refused when too many wait already', async () => {
    const { coordinator } = open()
    const waiting = Array.from({ length: 17 }, () => failureOf(() => coordinator.request('periodic')))
    expect(await failureOf(() => coordinator.request('periodic'))).toMatchObject({ code: 'CHECKPOINT_DECLINED' })
    await coordinator.close()
    for (const one of waiting) expect(await one).toMatchObject({ code: 'CHECKPOINT_DECLINED' })
  })
})

describe('a savepoint', () => {
  test('goes into its own directory and makes no output visible', async () => {
    const { clock, coordinator, acknowledge, heard, writers, completed } = open()
    const asked = coordinator.request('savepoint', '/save/here')
    await clock.yield()
    await acknowledge(1)
    expect((await asked).kind).toBe('savepoint')
    expect(writers[0]).toMatchObject({ kind: 'savepoint', directory: '/save/here' })
    expect(heard).toEqual(['begun 1 savepoint', 'assembled a=a! b=b!', 'published 1'])
    expect(completed).toHaveLength(1)
  })

  test('is answered without waiting for output of earlier checkpoints', async () => {
    const { clock, coordinator, acknowledge, hooks } = open()
    hooks.completed = () => new Promise(() => {})
    coordinator.start()
    await clock.advance(1_000)
    await acknowledge(1)
    const asked = coordinator.request('savepoint')
    await clock.yield()
    await acknowledge(2)
    expect((await asked).checkpointId).toBe(2)
  })

  test('that fails does not count against the job', async () => {
    const { clock, coordinator, decline, failures, failed } = open({ tolerableFailures: 0 })
    const asked = failureOf(() => coordinator.request('savepoint'))
    await clock.yield()
    await decline(1, 'a')
    expect(await asked).toMatchObject({ code: 'CHECKPOINT_DECLINED' })
    expect(failed).toHaveLength(1)
    expect(failures).toEqual([])
  })

  test('that completes does not forgive earlier failures', async () => {
    const { clock, coordinator, decline, acknowledge, failures } = open({ tolerableFailures: 1 })
    coordinator.start()
    await clock.advance(1_000)
    await decline(1, 'a')
    const asked = coordinator.request('savepoint')
    await clock.yield()
    await acknowledge(2)
    await asked
    await clock.advance(1_000)
    await decline(3, 'a')
    expect(failures).toMatchObject([{ code: 'CHECKPOINT_FAILED' }])
  })
})

describe('closing a checkpoint coordinator', () => {
  test('gives up the one under way, refuses those that wait, and starts no other', async () => {
    const { clock, coordinator, heard, failed, failures, acknowledge } = open({ tolerableFailures: 0 })
    coordinator.start()
    await clock.advance(1_000)
    const asked = failureOf(() => coordinator.request('final'))
    await coordinator.close()
    expect(heard).toEqual(['begun 1 periodic', 'aborted 1', 'discarded 1'])
    expect(failed[0]).toMatch(/^1 cancelled: .*the job is ending/)
    expect(await asked).toMatchObject({ code: 'CHECKPOINT_DECLINED' })
    expect(failures).toEqual([])
    await clock.advance(100_000)
    await acknowledge(1)
    expect(heard).toHaveLength(3)
    expect(clock.pendingTimers).toBe(0)
    expect(await failureOf(() => coordinator.request('periodic'))).toMatchObject({ code: 'CHECKPOINT_DECLINED' })
  })

  test('waits for a publication under way and for its output', async () => {
    const { clock, coordinator, acknowledge, hooks, heard } = open()
    let publish = (): void => {}
    let commit = (): void => {}
    hooks.publish = () =>
      new Promise((resolve) => {
        publish = resolve
      })
    hooks.completed = () =>
      new Promise((resolve) => {
        commit = resolve
      })
    coordinator.start()
    await clock.advance(1_000)
    await acknowledge(1)
    let closed = false
    const closing = coordinator.close().then(() => {
      closed = true
    })
    await clock.yield()
    expect(closed).toBe(false)
    publish()
    await clock.yield()
    expect(closed).toBe(false)
    commit()
    await closing
    expect(heard.slice(-2)).toEqual(['completed 1', 'retired 1'])
  })

  test('twice is fine, also before it was started', async () => {
    const { coordinator, clock } = open()
    await coordinator.close()
    await coordinator.close()
    coordinator.start()
    await clock.advance(10_000)
    expect(coordinator.missing()).toBeUndefined()
    expect(clock.pendingTimers).toBe(0)
  })
})
