import { expect } from 'vitest'
import { DirectoryCheckpointStore } from '../../src/checkpoint/index.ts'
import {
  asError,
  type ErrorCode,
  type ErrorPlace,
  errorTable,
  type FileSystem,
  type LogFields,
  type Logger,
  MillraceError,
  type ReadableFile,
  type WritableFile,
} from '../../src/core/index.ts'
import type { Job } from '../../src/job/index.ts'
import {
  type JobEvent,
  type JobHandle,
  JobRunner,
  noProgressMark,
  type RestoreOptions,
} from '../../src/runtime/index.ts'
import { type ProcessEnd, type SimDisk, World } from '../../src/testing/index.ts'

export interface FileCall {
  readonly operation: keyof FileSystem | 'append' | 'sync' | 'read' | 'truncate'
  readonly path: string
}

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: LogFields
}

export interface Run {
  readonly events: readonly JobEvent[]
  readonly handle: JobHandle | undefined
  readonly end: ProcessEnd | undefined
  kill(): void
}

const failure = (errno: string, { operation, path }: FileCall): Error =>
  Object.assign(new Error(`${errno}: told to fail, ${operation} '${path}'`), { code: errno })

/** A simulated machine whose disk answers with an error when it is told to: for users with less power than root. */
export class Machine {
  readonly world = new World(7)
  readonly log: LogLine[] = []
  /** Asked before every file operation: an errno makes it fail. */
  trouble: (call: FileCall) => string | undefined = () => undefined
  #runs = 0

  get disk(): SimDisk {
    return this.world.host().disk
  }

  start(job: Job, restore: Partial<RestoreOptions> = {}): Run {
    const events: JobEvent[] = []
    let handle: JobHandle | undefined
    const name = `run-${++this.#runs}`
    const process = this.world.spawn(
      name,
      async (simulated) => {
        const environment = { ...simulated, fs: this.#troubled(simulated.fs) }
        const { graph } = job
        const { checkpoint } = graph.settings
        const { fs, digest, clock, random } = environment
        const store =
          checkpoint &&
          new DirectoryCheckpointStore(
            { directory: checkpoint.dir, retained: checkpoint.retained },
            { fs, digest, clock, random },
          )
        const standard = {
          restore: 'latest',
          allowRollback: false,
          renameState: {},
          dropState: [],
          owner: name,
        } as const
        const options = { graph, environment, store, restore: { ...standard, ...restore }, mark: noProgressMark }
        const runner = new JobRunner(options)
        handle = runner
        runner.events$.subscribe((event) => events.push(event))
        return await runner.done
      },
      { log: this.#logger({}) },
    )
    return {
      events,
      get handle() {
        return handle
      },
      get end() {
        return process.end
      },
      kill: () => process.kill(),
    }
  }

  /** Lets time pass until `condition` holds. */
  async until(condition: () => boolean, virtualMsMax = 600_000): Promise<void> {
    const outcome = await this.world.run(condition, { eventsMax: 500_000, virtualMsMax })
    expect(outcome, this.world.violations.join('; ')).toBe('done')
  }

  async ended(run: Run): Promise<ProcessEnd | undefined> {
    await this.until(() => run.end !== undefined, 3_600_000)
    return run.end
  }

  /** Runs a job to its good end. */
  async finish(job: Job, restore: Partial<RestoreOptions> = {}): Promise<Run> {
    const run = this.start(job, restore)
    const end = await this.ended(run)
    if (end?.kind === 'threw') throw end.error
    expect(end?.kind).toBe('returned')
    return run
  }

  /** Runs a job to its bad end, and gives the error. */
  async complaint(job: Job, restore: Partial<RestoreOptions> = {}): Promise<Error> {
    const end = await this.ended(this.start(job, restore))
    return end?.kind === 'threw' ? end.error : new Error(`the job did not fail; it ${end?.kind}`)
  }

  /** Runs a job and kills it once so many checkpoints have completed. */
  async killAfter(job: Job, checkpoints: number): Promise<void> {
    const run = this.start(job)
    const completed = (): number => run.events.filter(({ kind }) => kind === 'checkpoint-completed').length
    await this.until(() => completed() >= checkpoints || run.end !== undefined)
    expect(run.end, 'the job was too short').toBe(undefined)
    run.kill()
  }

  #logger(bound: LogFields): Logger {
    const at = (level: string) => (fields: LogFields, message: string) => {
      this.log.push({ level, message, fields: { ...bound, ...fields } })
    }
    const [debug, info, warn, error] = [at('debug'), at('info'), at('warn'), at('error')]
    return { debug, info, warn, error, child: (fields) => this.#logger({ ...bound, ...fields }) }
  }

  #troubled(fs: FileSystem): FileSystem {
    const ask = async (operation: FileCall['operation'], path: string): Promise<void> => {
      const errno = this.trouble({ operation, path })
      if (errno !== undefined) throw failure(errno, { operation, path })
    }
    const on =
      <R>(operation: FileCall['operation'], call: (path: string) => Promise<R>) =>
      async (path: string): Promise<R> => {
        await ask(operation, path)
        return await call(path)
      }
    const readable = (file: ReadableFile, path: string): ReadableFile => ({
      readAt: async (position, length) => {
        await ask('read', path)
        return await file.readAt(position, length)
      },
      stat: () => file.stat(),
      sync: () => file.sync(),
      close: () => file.close(),
    })
    const writable = (file: WritableFile, path: string): WritableFile => ({
      get size() {
        return file.size
      },
      append: async (bytes) => {
        await ask('append', path)
        await file.append(bytes)
      },
      truncate: (size) => file.truncate(size),
      sync: async () => {
        await ask('sync', path)
        await file.sync()
      },
      close: () => file.close(),
    })
    return {
      create: on('create', async (path) => writable(await fs.create(path), path)),
      open: on('open', async (path) => readable(await fs.open(path), path)),
      stat: on('stat', (path) => fs.stat(path)),
      list: on('list', (path) => fs.list(path)),
      mkdir: on('mkdir', (path) => fs.mkdir(path)),
      rmdir: on('rmdir', (path) => fs.rmdir(path)),
      unlink: on('unlink', (path) => fs.unlink(path)),
      syncDirectory: on('syncDirectory', (path) => fs.syncDirectory(path)),
      freeBytes: on('freeBytes', (path) => fs.freeBytes(path)),
      rename: async (from, to) => {
        await ask('rename', to)
        await fs.rename(from, to)
      },
      link: async (existing, created) => {
        await ask('link', created)
        await fs.link(existing, created)
      },
    }
  }
}

export interface Complaint {
  readonly code: ErrorCode
  readonly exitCode: number
  /** All of it: a field that is not named must not be there. */
  readonly place?: ErrorPlace
  readonly message: RegExp
  readonly fix: RegExp
}

const actions =
  /\b(accept|add|change|correct|create|declare|divert|free|give|keep|let|list|make|map|mount|move|name|put|raise|remove|restore|return|run|set|settle|use)\b/

/** What `act` throws. */
export const thrownBy = (act: () => unknown): Error => {
  try {
    act()
  } catch (thrown) {
    return asError(thrown)
  }
  return new Error('nothing was thrown')
}

/** The error says what, where, and what to do about it. */
export const expectComplaint = (thrown: Error, { code, exitCode, place, message, fix }: Complaint): void => {
  if (!(thrown instanceof MillraceError)) throw thrown
  expect(thrown).toMatchObject({ code, exitCode, name: errorTable[code].class })
  expect(thrown.message).toMatch(message)
  expect(thrown.fix).toMatch(fix)
  expect(thrown.fix).toMatch(actions)
  expect(thrown.message).toContain(`fix: ${thrown.fix}`)
  expect(thrown.message).not.toMatch(/undefined [a-z]|\[object/)
  const known = Object.entries(thrown.place).filter(([, value]) => value !== undefined && value !== '')
  expect(Object.fromEntries(known)).toEqual(place ?? {})
}
