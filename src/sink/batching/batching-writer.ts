import { asError, isMillraceError, SinkError } from '../../core/index.ts'
import { Batcher, type BatcherParts } from './batcher.ts'
import type { Destination, Package } from './package.ts'
import type { PackageOutcome } from './send-result.ts'

export interface BatchingWriterParts<D extends Destination, T> extends Omit<BatcherParts<D, T>, 'settled'> {
  /**
   * What happens to records that can never be sent: true when they are dealt with, false to fail. Default: fails.
   * Called for rejected packages only.
   */
  readonly onRejected?: ((pack: Package<D, T>, cause: Error) => boolean) | undefined
  /** Called for every package that is stored. */
  readonly onAccepted?: ((pack: Package<D, T>, attempts: number) => void) | undefined
  /** Aborts when the attempt of the job ends. */
  readonly signal: AbortSignal
}

/**
 * A batcher for a sink writer: the first failure that no retry can mend is kept, and fails this and every later call. So
 * no checkpoint can complete over a record that was not stored.
 */
export class BatchingWriter<D extends Destination, T = never> {
  readonly #batcher: Batcher<D, T>
  readonly #signal: AbortSignal
  readonly #onAbort = (): void => void this.#end(asError(this.#signal.reason))
  /** Rejects at the first failure. */
  readonly #failed: Promise<never>
  #reject: (cause: Error) => void = () => {}
  #failure: Error | undefined

  constructor(parts: BatchingWriterParts<D, T>) {
    const { onRejected = () => false, onAccepted, signal, ...rest } = parts
    this.#failed = new Promise<never>((_, reject) => {
      this.#reject = reject
    })
    // Whoever writes or flushes learns of it.
    this.#failed.catch(() => {})
    this.#batcher = new Batcher({
      ...rest,
      settled: (pack, outcome) => {
        if (outcome.kind === 'accepted') onAccepted?.(pack, outcome.attempts)
        else if (outcome.kind === 'failed' || !onRejected(pack, outcome.cause)) this.fail(failureOf(outcome))
      },
    })
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort, { once: true })
    if (signal.aborted) this.#onAbort()
  }

  /** Packages whose outcome is not known, open ones included. */
  get pending(): number {
    return this.#batcher.open + this.#batcher.underWay
  }

  /** The failure that every call rejects with from now on. The first one counts. */
  fail(cause: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = cause
    this.#reject(cause)
  }

  /** @throws Error the failure that was kept */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /**
   * Takes an encoded record, whose bytes are copied. Undefined when it is taken, otherwise a promise that resolves when it
   * is.
   * @throws Error the failure that was kept
   */
  add(destination: D, record: Uint8Array, ticket?: T): Promise<void> | undefined {
    this.check()
    const added = this.#batcher.add(destination, record, ticket)
    return added === undefined ? undefined : Promise.race([added, this.#failed])
  }

  /** As `add`, with the records of a run; see `Batcher.addRun`. */
  addRun(destination: D, bytes: Uint8Array, ends: readonly number[]): Promise<void> | undefined {
    this.check()
    const added = this.#batcher.addRun(destination, bytes, ends)
    return added === undefined ? undefined : Promise.race([added, this.#failed])
  }

  /**
   * Sends everything that was taken, without waiting for the linger, and resolves when all of it is stored.
   * @throws Error the failure that was kept
   */
  async flush(): Promise<void> {
    this.check()
    this.#batcher.flushNow()
    await Promise.race([this.#batcher.quiet(), this.#failed])
    this.check()
  }

  /** Gives up what is not stored and gives everything back. May be called twice. */
  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort)
    await this.#end(new SinkError('SINK_UNAVAILABLE', { message: 'the writer is closed' }))
  }

  #end(reason: Error): Promise<void> {
    this.fail(reason)
    return this.#batcher.abort(reason)
  }
}

const failureOf = (outcome: Exclude<PackageOutcome, { kind: 'accepted' }>): Error => {
  const { cause, attempts } = outcome
  if (isMillraceError(cause)) return cause
  return new SinkError(outcome.kind === 'rejected' ? 'SINK_REFUSED' : 'SINK_UNAVAILABLE', {
    message: `a package was not stored after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${cause.message}`,
    cause,
  })
}
