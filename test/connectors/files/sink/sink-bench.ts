import { expect } from 'vitest'
import { type FileSinkOptions, fileSink } from '../../../../src/connectors/files/index.ts'
import {
  batchOf,
  type CheckpointId,
  checkpointId,
  type Environment,
  generation,
  type LogFields,
  type Logger,
  type OriginColumn,
} from '../../../../src/core/index.ts'
import type { CommitRequest, Committer, OpenSink, Sink, SinkWriter } from '../../../../src/sink/index.ts'
import { memoryEnvironment } from '../../../../src/testing/index.ts'
import { noMetrics } from '../../../core/no-metrics.ts'
import { WatchedDisk } from './watched-disk.ts'

export interface Receipt {
  readonly staged: string
  readonly final: string
  readonly bytes: number
  readonly records: number
}

export type Writer<T> = SinkWriter<T, unknown, unknown>

/** A clock that moves when somebody sleeps. */
export class SteppingClock {
  now = 0
  sleeps = 0
  /** Called at every sleep: where a test makes room, or aborts. */
  onSleep: (ms: number) => void = () => {}

  wallMs = (): number => this.now
  monoMs = (): number => this.now
  yield = async (): Promise<void> => {}
  timer = (): (() => void) => () => {}
  sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    this.sleeps += 1
    this.now += ms
    this.onSleep(ms)
    signal?.throwIfAborted()
  }
}

/** A logger that keeps what it is told, as `level message`. */
export const keepingLogger = (lines: string[], fields: LogFields[] = []): Logger => {
  const keep = (level: string) => (given: LogFields, message: string) => {
    lines.push(`${level} ${message}`)
    fields.push(given)
  }
  const logger: Logger = {
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    child: () => logger,
  }
  return logger
}

/** A file sink on a simulated disk, driven by hand as the runtime would. */
export class SinkBench<T> {
  readonly disk: WatchedDisk
  readonly clock = new SteppingClock()
  readonly lines: string[] = []
  readonly waits: (string | undefined)[] = []
  readonly abort = new AbortController()
  readonly #sink: Sink<T>
  readonly #environment: Environment

  constructor(options: Omit<FileSinkOptions<T>, 'dir'> & { readonly dir?: string }, disk = new WatchedDisk()) {
    this.disk = disk
    this.#sink = fileSink<T>({ dir: 'out', ...options })
    const random = { float: () => 0.5, u32: () => 7, id: () => '0123456789abcdef' }
    const log = keepingLogger(this.lines)
    this.#environment = { ...memoryEnvironment(), clock: this.clock, random, fs: disk, log }
  }

  open(attempt = 1, parallelism = 1): OpenSink<T> {
    const job = { job: 'j', step: 'archive', parallelism, generation: generation(attempt), metrics: noMetrics() }
    return this.#sink.open({ ...this.#environment, ...job })
  }

  writer(attempt = 1, subtask = 0): Promise<Writer<T>> {
    const waiting = (forWhat: string | undefined): void => void this.waits.push(forWhat)
    const context = { subtask, parallelism: 1, metrics: noMetrics(), signal: this.abort.signal, waiting }
    return this.open(attempt).createWriter(context, [])
  }

  committer(attempt = 1): Promise<Committer<unknown>> {
    const created = this.open(attempt).createCommitter?.()
    if (created === undefined) throw new Error('a file sink has a committer')
    return created
  }

  /** Commits receipts as one batch; gives the signal each got, `committed` when none. */
  async commit(receipts: readonly Receipt[], attempt = 1): Promise<string[]> {
    return await commitWith(await this.committer(attempt), receipts)
  }

  /** Committed files below the directory, with their text. */
  visible(): Record<string, string> {
    return Object.fromEntries(this.#files((name) => !name.startsWith('.')))
  }

  /** Names of hidden files below the directory. */
  hidden(): string[] {
    return this.#files((name) => name.startsWith('.')).map(([path]) => path)
  }

  #files(accept: (name: string) => boolean): [string, string][] {
    return this.disk
      .files('out')
      .filter((path) => accept(path.slice(path.lastIndexOf('/') + 1)))
      .map((path) => [path, new TextDecoder().decode(this.disk.peek(`out/${path}`))])
  }
}

export const commitWith = async (committer: Committer<unknown>, receipts: readonly Receipt[]): Promise<string[]> => {
  const signals: string[] = receipts.map(() => 'committed')
  const requests = receipts.map((committable, index): CommitRequest<Receipt> => {
    const signal = (text: string): void => {
      expect(signals[index]).toBe('committed')
      signals[index] = text
    }
    return {
      committable,
      checkpointId: checkpointId(1),
      retries: 0,
      signalAlreadyCommitted: () => signal('already committed'),
      retryLater: (cause) => signal(`retry later: ${cause.message}`),
      signalFailed: (cause) => signal(`failed: ${cause.message}`),
    }
  })
  await committer.commit(requests)
  return signals
}

export const write = async <T>(writer: Writer<T>, records: readonly T[], origins?: OriginColumn): Promise<void> => {
  await writer.write({ ...batchOf(records), origins })
}

/** What the runtime does at a barrier. */
export const barrier = async (writer: Writer<never>, id = 1): Promise<readonly Receipt[]> => {
  await writer.flush(false)
  const checkpoint: CheckpointId = checkpointId(id)
  return ((await writer.prepareCommit?.(checkpoint)) ?? []) as readonly Receipt[]
}

export const sentence = async (promise: Promise<unknown> | unknown): Promise<string> => {
  try {
    await promise
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return 'no error'
}
