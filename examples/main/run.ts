import { join } from 'node:path'
import { type JobEvent, type JobHandle, run } from 'millrace'
import { isGzip } from '../shared/input.ts'
import { type LocalService, startLocalService } from '../shared/local-service.ts'
import { shardsOf } from '../shared/shards.ts'
import type { Settings } from './arguments.ts'
import { type Collect, collect } from './collect.ts'
import { Counts } from './counts.ts'
import { consumerGroup, type DispatchAndCount, dispatchAndCount } from './dispatch-and-count.ts'
import type { Display } from './display.ts'
import { Ledger } from './ledger.ts'
import { LineTable } from './line-table.ts'
import { Mishaps } from './mishaps.ts'
import { type Plan, sourcePaths } from './plan.ts'
import { Progress } from './progress.ts'
import { Survey } from './survey.ts'
import { topics } from './topics.ts'
import { type Verdict, verify } from './verify.ts'

export interface Verified {
  readonly verdict: Verdict
  /** Copies that the restarts of the run allow. */
  readonly bound: number
  readonly restarts: number
}

const frameMs = 1000
const lookMs = 100
const stopWaitMs = 5000
/** Logs are kept for ever: the end is compared with the beginning. */
const ttlDays = 3650

/** One run of the program: the log service, the job that writes into it, and the job that reads it. */
export class Run {
  readonly #plan: Plan
  /** This state was begun by a process before this one. */
  readonly #resumed: boolean
  readonly #settings: Settings
  readonly #display: Display
  readonly #service: LocalService
  readonly #ledger: Ledger
  readonly #mishaps: Mishaps
  readonly #counts: Counts
  /** What earlier starts wrote, and what this one has looked at again since. */
  readonly #table = new LineTable()
  readonly #survey: Survey
  readonly #collect: Collect
  readonly #dispatch: DispatchAndCount
  #bytesRead = 0
  /** Logs in `access` when the process started. */
  #writtenBefore = 0
  #collecting: JobHandle | undefined
  #dispatching: JobHandle | undefined
  #stopSentMs: number | undefined
  #ended = false
  /** Everything in `access` is in the last checkpoint. */
  #allRead = false
  #checks: Promise<void> = Promise.resolve()

  private constructor(parts: RunParts) {
    const { plan, resumed, settings, display, service, ledger, mishaps } = parts
    this.#plan = plan
    this.#resumed = resumed
    this.#settings = settings
    this.#display = display
    this.#service = service
    this.#ledger = ledger
    this.#mishaps = mishaps
    this.#counts = new Counts(join(settings.state, 'counts'))
    this.#survey = new Survey(service.client, this.#table)
    const { connection } = service
    this.#collect = collect({
      connection,
      paths: sourcePaths(plan),
      mode: plan.mode,
      checkpoints: join(settings.state, 'checkpoints', 'collect'),
      rate: settings.rate ?? rateToWatch(plan),
      isWritten: ({ path, offset, bytes }) => this.#writtenBefore > 0 && this.#table.has('access', path, offset, bytes),
      onLine: ({ length }) => {
        this.#bytesRead += length + 1
      },
    })
    this.#dispatch = dispatchAndCount({
      connection,
      checkpoints: join(settings.state, 'checkpoints', 'dispatch-and-count'),
      counts: join(settings.state, 'counts'),
      parallelism: settings.parallelism,
      onGroup: () => mishaps.strike(),
    })
  }

  /** Starts the log service. */
  static async open(opened: Opened, display: Display): Promise<Run> {
    const { state } = opened.settings
    const targets = Object.fromEntries(topics.map((topic) => [topic, { shardCount: 1, ttlDays }]))
    const service = await startLocalService({
      directory: join(state, 'log-service'),
      project: 'millrace',
      logstores: { access: { shardCount: 4, ttlDays }, ...targets },
    })
    const ledger = await Ledger.open(join(state, 'restarts.json'))
    const mishaps = await Mishaps.open(join(state, 'mishaps.json'), service.client)
    return new Run({ ...opened, display, service, ledger, mishaps })
  }

  get url(): string {
    return this.#service.url
  }

  /** Runs both jobs until everything is written, read and told to the consumer group; or until somebody stops it. */
  async toEnd(): Promise<'finished' | 'stopped'> {
    await this.#survey.read('access', 'access')
    this.#writtenBefore = this.#logsIn('access')
    if (this.#resumed) await this.#noteRestart('stands')
    const collecting = run(this.#collect.job)
    const dispatching = run(this.#dispatch.job)
    this.#collecting = collecting
    this.#dispatching = dispatching
    dispatching.events$.subscribe((event) => this.#hear(event))
    if (this.#stopSentMs !== undefined) this.stop()
    // Either of them failing ends the run, and the other one.
    const failed = new Promise<never>((_, reject) => {
      collecting.done.catch(reject)
      dispatching.done.catch(reject)
    })
    try {
      return await Promise.race([failed, this.#watch(collecting, dispatching)])
    } catch (error) {
      await this.cancel()
      throw error
    }
  }

  /** Nothing more is written; what is there is read, as far as that is soon done; then all ends with a last checkpoint. */
  stop(): void {
    this.#stopSentMs ??= performance.now()
    if (this.#collecting === undefined) return
    this.#display.happened({ kind: 'stopping', drain: true })
    this.#collecting.stop().catch(noop)
  }

  /** Gives up now. */
  async cancel(): Promise<void> {
    this.#ended = true
    await Promise.all([this.#collecting?.cancel(), this.#dispatching?.cancel()])
  }

  async verify(outcome: 'finished' | 'stopped'): Promise<Verified> {
    await this.#checks
    await this.#ledger.sentAgain(this.#ambiguous())
    const verdict = await verify({
      client: this.#service.client,
      counts: join(this.#settings.state, 'counts'),
      files: this.#plan.files,
      finished: outcome === 'finished',
      allRead: this.#allRead,
    })
    return {
      verdict,
      bound: this.#ledger.bound(verdict.groupLogs) + verdict.copiesRead,
      restarts: this.#ledger.restarts,
    }
  }

  async close(): Promise<void> {
    await this.cancel()
    await this.#service.close()
  }

  /** Shows the progress once a second, lets the mishaps happen, and ends the job when nothing is left to do. */
  async #watch(collecting: JobHandle, dispatching: JobHandle): Promise<'finished' | 'stopped'> {
    const { client } = this.#service
    const progress = new Progress({
      running: dispatching,
      client,
      counts: this.#counts,
      written: () => this.#writtenBefore + this.#collect.sink.counts().logs,
    })
    const bytes = await bytesOf(this.#plan)
    const startedMs = performance.now()
    let collected: 'finished' | 'stopped' | undefined
    collecting.done.then(({ outcome }) => {
      collected = outcome
    }, noop)
    for (let frames = 0; !this.#ended; await new Promise((resolve) => setTimeout(resolve, lookMs))) {
      const elapsedMs = performance.now() - startedMs
      const { checkpointAgeMs } = progress
      const written = bytes === undefined ? undefined : this.#bytesRead / bytes
      const mishap = await this.#mishaps.look({
        written,
        complete: collected === 'finished',
        elapsedMs,
        checkpointAgeMs,
      })
      if (mishap !== undefined) this.#display.mishap(mishap)
      this.#allRead = collected !== undefined && (await this.#isAllTold())
      const isLast = this.#allRead || (collected !== undefined && this.#isStopOverdue())
      if (isLast || elapsedMs >= frames * frameMs) {
        frames = Math.floor(elapsedMs / frameMs) + 1
        await this.#ledger.sentAgain(this.#ambiguous())
        this.#display.show(await progress.frame())
      }
      if (!isLast) continue
      await dispatching.stop({ drain: true })
      return collected === 'finished' && this.#allRead ? 'finished' : 'stopped'
    }
    return 'stopped'
  }

  /** A job that is far behind is not waited for. */
  #isStopOverdue(): boolean {
    return this.#stopSentMs !== undefined && performance.now() - this.#stopSentMs > stopWaitMs
  }

  async #isAllTold(): Promise<boolean> {
    return (await shardsOf(this.#service.client, 'access', consumerGroup)).every(({ behind }) => behind === 0)
  }

  #hear(event: JobEvent): void {
    // It is stopped at every end; a display is told of those that somebody asked for.
    if (event.kind !== 'stopping') this.#display.happened(event)
    // What it will write again is bounded by what is there now, before it begins to.
    if (event.kind === 'restarting') {
      this.#checks = this.#checks.then(() => this.#noteRestart('goes on'))
      this.#checks.catch(noop)
    }
  }

  async #noteRestart(job: 'stands' | 'goes on'): Promise<void> {
    await this.#counts.refresh()
    const covered = this.#counts.total
    for (const topic of topics) await this.#survey.read('targets', topic)
    const { lines, again } = this.#table.countOf('targets')
    await this.#ledger.restarted({ job, written: lines + again, copies: again, covered })
  }

  #logsIn(place: 'access' | 'targets'): number {
    const { lines, again } = this.#table.countOf(place)
    return lines + again
  }

  /** LogGroups: that is what a dispatch counts. */
  #ambiguous(): number {
    const targets = Object.values(this.#dispatch.sink.counts().targets)
    return targets.reduce((sum, { ambiguousLogs }) => sum + ambiguousLogs, 0)
  }
}

/** What the command line asks for. */
export interface Opened {
  readonly plan: Plan
  readonly settings: Settings
  /** The plan was made by a process before this one. */
  readonly resumed: boolean
}

interface RunParts extends Opened {
  readonly display: Display
  readonly service: LocalService
  readonly ledger: Ledger
  readonly mishaps: Mishaps
}

const noop = (): void => {}

/** What compressed logs grow to, about. */
const unpacked = 8

/** Bytes of the whole input, about; undefined when it grows. */
const bytesOf = async ({ mode, files }: Plan): Promise<number | undefined> => {
  if (mode === 'tail') return undefined
  const sizes = await Promise.all(files.map(async ({ path, size }) => ((await isGzip(path)) ? unpacked * size : size)))
  return Math.max(
    1,
    sizes.reduce((sum, size) => sum + size, 0),
  )
}

const secondsToWatch = 5
const lineBytes = 100

/** Little input would be done before anybody sees it. */
const rateToWatch = ({ files }: Plan): number => {
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  return Math.max(500, Math.ceil(bytes / lineBytes / secondsToWatch))
}
