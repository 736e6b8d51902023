import { DirectoryCheckpointStore, type RestoreTarget } from '../../src/checkpoint/index.ts'
import type { Job } from '../../src/job/index.ts'
import { type JobEvent, type JobHandle, JobRunner, noProgressMark } from '../../src/runtime/index.ts'
import { type MemoryEnvironment, memoryEnvironment } from '../../src/testing/index.ts'
import { type LogLine, rememberingLogger } from '../runtime/operator-bench.ts'

export interface StartOptions {
  readonly restore?: RestoreTarget
  readonly allowRollback?: boolean
  readonly renameState?: Readonly<Record<string, string>>
  readonly dropState?: readonly string[]
}

/** A machine of its own: a disk that outlives the jobs on it, virtual time, and everything that was logged. */
export class Machine {
  readonly lines: LogLine[] = []
  readonly environment: MemoryEnvironment = memoryEnvironment({ log: rememberingLogger(this.lines) })

  get clock(): MemoryEnvironment['clock'] {
    return this.environment.clock
  }

  /** Runs a job as `run()` does, on this machine. */
  start(job: Job, options: StartOptions = {}): JobHandle {
    const { fs, digest, clock, random } = this.environment
    const { checkpoint } = job.graph.settings
    const store =
      checkpoint === undefined
        ? undefined
        : new DirectoryCheckpointStore(
            { directory: checkpoint.dir, retained: checkpoint.retained },
            { fs, digest, clock, random },
          )
    const { restore = 'latest', allowRollback = false, renameState = {}, dropState = [] } = options
    return new JobRunner({
      graph: job.graph,
      environment: this.environment,
      store,
      restore: { restore, allowRollback, renameState, dropState, owner: 'the test' },
      mark: noProgressMark,
    })
  }

  /** Runs a job to its end. */
  async run(job: Job, options: StartOptions = {}) {
    return this.finish(this.start(job, options).done)
  }

  /**
   * Moves time until the promise settles. In small steps: a subtask that has only given the event loop its turn is not
   * waiting, and a leap to the next timer would make time pass for it.
   */
  async finish<T>(promise: Promise<T>, msMax = 600_000, stepMs = 20): Promise<T> {
    let settled = false
    const settle = (): void => {
      settled = true
    }
    promise.then(settle, settle)
    const untilMs = this.clock.monoMs() + msMax
    for (await this.settle(4); !settled; await this.settle(4)) {
      if (this.clock.monoMs() >= untilMs) throw new Error(`the promise did not settle within ${msMax} ms`)
      await this.clock.advance(stepMs)
    }
    return promise
  }

  /** Lets everything happen that needs no time. */
  async settle(turns = 30): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await this.clock.yield()
  }

  /** Moves time in steps, so that what needs several turns has them. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.clock.advance(Math.min(stepMs, left))
      await this.settle(3)
    }
  }
}

/** Everything a job has said so far; goes on listening. */
export const eventsOf = (handle: JobHandle): JobEvent[] => {
  const events: JobEvent[] = []
  handle.events$.subscribe((event) => events.push(event))
  return events
}

/** Events as short text. */
export const told = (events: readonly JobEvent[]): string[] =>
  events.map((event): string => {
    switch (event.kind) {
      case 'started':
        return `started ${event.restored ?? 'afresh'}`
      case 'checkpoint-completed':
        return `checkpoint ${event.checkpointId}`
      case 'checkpoint-failed':
        return `checkpoint ${event.checkpointId} ${event.reason}`
      case 'restarting':
        return `restarting ${event.attempt}`
      case 'stopping':
        return event.drain ? 'draining' : 'stopping'
      case 'finished':
        return event.outcome
      default:
        return event.kind
    }
  })

/** Resolves as soon as `condition` holds; time moves on meanwhile. */
export const until = async (machine: Machine, condition: () => boolean, msMax = 600_000): Promise<void> => {
  const startMs = machine.clock.monoMs()
  while (!condition()) {
    if (machine.clock.monoMs() - startMs > msMax) throw new Error('it did not come to that')
    await machine.clock.advance(10)
    await machine.settle(2)
  }
}
