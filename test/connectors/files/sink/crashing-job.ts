import { expect } from 'vitest'
import type { FileSinkOptions } from '../../../../src/connectors/files/index.ts'
import { barrier, commitWith, type Receipt, SinkBench, type Writer, write } from './sink-bench.ts'
import type { WatchedDisk } from './watched-disk.ts'

/** What one checkpoint does about its receipts. */
export type CheckpointAction =
  /** Published and committed. */
  | 'commit'
  /** Published; the notification is lost, the receipts go with the next one. */
  | 'lose notification'
  /** Published and committed twice. */
  | 'commit twice'
  /** Not published: given up after the receipts were made. */
  | 'give up'

export interface JobPlan {
  readonly options: Omit<FileSinkOptions<string>, 'dir'>
  readonly records: readonly string[]
  /** Records per batch, used in turn. */
  readonly batchSizes: readonly number[]
  /** Batches between two checkpoints, used in turn. */
  readonly batchesPerCheckpoint: readonly number[]
  /** Used in turn. */
  readonly actions: readonly CheckpointAction[]
  /** Subtasks of attempt 1, 2, …; the last one holds for the rest. */
  readonly parallelism: readonly number[]
  /** The file system call of attempt 1, 2, … at which the process dies; later attempts live. */
  readonly crashes: readonly number[]
  /** Given when the power goes with the process: a seed for what survives of the unsynced. */
  readonly powerLoss?: number | undefined
}

export interface JobRun {
  readonly bench: SinkBench<string>
  readonly calls: number
  readonly attempts: number
}

interface Checkpoint {
  readonly position: number
  readonly pending: readonly Receipt[]
}

class Crash extends Error {}

/** A job in miniature around a file sink: it dies where the plan says, starts again, and is watched by a reader. */
export const runCrashingJob = async (plan: JobPlan): Promise<JobRun> => {
  const bench = new SinkBench<string>({ format: 'text', ...plan.options })
  const watch = new Reader(bench, plan.records)
  let checkpoint: Checkpoint = { position: 0, pending: [] }
  let calls = 0
  for (let attempt = 1; ; attempt++) {
    const dying = crashAt(bench.disk, plan.crashes[attempt - 1], watch)
    const publish = (next: Checkpoint): void => {
      if (dying.dead) throw new Crash()
      checkpoint = next
      watch.published = next.position
    }
    try {
      await runAttempt(plan, bench, attempt, checkpoint, publish)
      calls += dying.calls
      expect(dying.dead).toBe(false)
      bench.disk.before = () => undefined
      await (await bench.committer(attempt + 1)).abortOrphans()
      watch.check()
      return { bench, calls, attempts: attempt }
    } catch (error) {
      if (!dying.dead) throw error
      calls += dying.calls
      if (plan.powerLoss !== undefined) {
        bench.disk.losePower(plan.powerLoss)
        watch.afterPowerLoss()
      }
    }
  }
}

const crashAt = (disk: WatchedDisk, at: number | undefined, watch: Reader): { dead: boolean; calls: number } => {
  const state = { dead: false, calls: 0 }
  disk.before = () => {
    if (state.calls === at) state.dead = true
    state.calls += 1
    return state.dead ? { errno: 'CRASHED', half: state.calls - 1 === at } : undefined
  }
  disk.after = ({ operation, path }) => watch.saw(operation, path)
  return state
}

const runAttempt = async (
  plan: JobPlan,
  bench: SinkBench<string>,
  attempt: number,
  restored: Checkpoint,
  publish: (checkpoint: Checkpoint) => void,
): Promise<void> => {
  const committer = await bench.committer(attempt)
  expect((await commitWith(committer, restored.pending)).filter((signal) => !signal.endsWith('committed'))).toEqual([])
  publish({ position: restored.position, pending: [] })
  await committer.abortOrphans()
  const subtasks = plan.parallelism[Math.min(attempt, plan.parallelism.length) - 1] ?? 1
  const writers: Writer<string>[] = []
  for (let subtask = 0; subtask < subtasks; subtask++) writers.push(await bench.writer(attempt, subtask))
  let pending: readonly Receipt[] = []
  let position = restored.position
  let batches = 0
  for (let checkpoints = 0; ; checkpoints++) {
    const last = position >= plan.records.length
    const between = last ? 0 : turn(plan.batchesPerCheckpoint, checkpoints)
    for (let index = 0; index < between; index++) {
      const records = plan.records.slice(position, position + turn(plan.batchSizes, batches))
      await write(turn(writers, batches), records)
      position += records.length
      batches += 1
    }
    for (const writer of writers) pending = [...pending, ...(await barrier(writer))]
    // The last checkpoint of a bounded job is repeated until it completes.
    const action = last ? 'commit' : turn(plan.actions, checkpoints)
    if (action === 'give up') continue
    publish({ position, pending })
    if (action === 'lose notification') continue
    for (let times = action === 'commit twice' ? 2 : 1; times > 0; times--) {
      expect((await commitWith(committer, pending)).filter((signal) => !signal.endsWith('committed'))).toEqual([])
    }
    pending = []
    if (last) break
  }
  for (const writer of writers) await writer.close()
}

const turn = <V>(values: readonly V[], index: number): V => values[index % values.length] as V

/** Somebody who lists and reads `part-*` after every change. */
class Reader {
  published = 0
  readonly #bench: SinkBench<string>
  readonly #positions: ReadonlyMap<string, number>
  /** Files seen. A file seen in a synced directory is for ever, also across a power loss. */
  #seen = new Map<string, string>()
  readonly #durable = new Map<string, string>()

  constructor(bench: SinkBench<string>, records: readonly string[]) {
    this.#bench = bench
    this.#positions = new Map(records.map((record, position) => [record, position]))
  }

  saw(operation: string, path: string): void {
    if (operation === 'syncDirectory') this.#keep(path)
    else if (['link', 'rename', 'unlink'].includes(operation)) this.check()
  }

  check(): void {
    const visible = new Map(Object.entries(this.#bench.visible()))
    for (const [name, text] of this.#seen)
      if (visible.get(name) !== text) throw new Error(`${name} vanished or changed`)
    const read = new Set<string>()
    for (const [name, text] of visible) {
      if (!text.endsWith('\n')) throw new Error(`${name} ends inside a record`)
      for (const record of text.slice(0, -1).split('\n')) {
        const position = this.#positions.get(record)
        if (position === undefined) throw new Error(`${name} holds ${JSON.stringify(record)}, which nobody wrote`)
        if (read.has(record)) throw new Error(`${record} is there twice`)
        if (position >= this.published) throw new Error(`${record} is visible before its checkpoint`)
        read.add(record)
      }
    }
    this.#seen = visible
  }

  #keep(directory: string): void {
    for (const [name, text] of this.#seen) {
      const path = `out/${name}`
      if (path.slice(0, path.lastIndexOf('/')) === directory) this.#durable.set(name, text)
    }
  }

  afterPowerLoss(): void {
    this.#seen = new Map(this.#durable)
    this.check()
  }
}
