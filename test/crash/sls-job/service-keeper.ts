import type { ServiceClient } from '../log-service/service-client.ts'
import type { Draws } from '../random.ts'
import { serviceMoment } from './crash-places.ts'
import { ServiceProcess } from './processes.ts'

/** What a person is told of deaths, by victim and way. */
export type Tally = Map<string, number>

export const tallied = (tally: Tally, way: string): void => {
  tally.set(way, (tally.get(way) ?? 0) + 1)
}

export interface ServiceKeeperOptions {
  readonly data: string
  readonly port: number
  readonly client: ServiceClient
  readonly draws: Draws
  readonly tally: Tally
  readonly kills: number
  readonly lifeMeanMs: number
  /** A crash point that is not reached by then is given up, and the process killed. */
  readonly pointMs: number
  readonly problem: (text: string) => void
  readonly goesOn: () => boolean
}

/** Keeps a log service running that dies again and again, and in the end no more. */
export class ServiceKeeper {
  readonly #o: ServiceKeeperOptions
  #current: ServiceProcess | undefined
  deaths = 0
  points = 0
  /** When it began to serve, each time, on the monotonic clock. */
  readonly servesSinceMs: number[] = []

  constructor(options: ServiceKeeperOptions) {
    this.#o = options
  }

  get isServing(): boolean {
    return this.#current?.isRunning ?? false
  }

  /** Starts it for the first time. */
  async begin(): Promise<void> {
    await this.#start(undefined)
  }

  /** Resolves when all its deaths are behind it and it serves for good. */
  async run(): Promise<void> {
    const { draws, goesOn, kills, lifeMeanMs, pointMs } = this.#o
    let inside: string | undefined
    while (this.deaths < kills && goesOn()) {
      const process = this.#current
      if (process !== undefined) {
        await process.endWithin(inside === undefined ? 300 + draws.exponential(lifeMeanMs) : pointMs)
        await this.#died(process, process.isRunning ? 'a random moment' : (inside ?? 'a random moment'))
      }
      const moment = this.deaths < kills && draws.float() < 0.6 ? serviceMoment(draws) : undefined
      inside = moment?.inside
      await this.#start(moment?.text)
      if (this.#current === undefined && moment !== undefined) tallied(this.#o.tally, `service, starting, ${inside}`)
    }
    if (this.#current === undefined && goesOn()) await this.#start(undefined)
  }

  /** Kills it now, as one of its deaths; when all of them are behind it, it lives. */
  strike(): void {
    if (this.deaths < this.#o.kills) this.#current?.kill('SIGKILL')
  }

  /** Ends it as it should end. */
  async end(): Promise<void> {
    const process = this.#current
    process?.kill('SIGTERM')
    const end = await process?.endWithin(30_000)
    if (end?.code !== 0) this.#o.problem(`the service ended with ${JSON.stringify(end)} on SIGTERM`)
    this.#check(process)
    process?.kill('SIGKILL')
  }

  async #start(crashAt: string | undefined): Promise<void> {
    const { data, port, problem } = this.#o
    const process = new ServiceProcess(data, port, crashAt)
    if (await process.ready()) {
      this.#current = process
      this.servesSinceMs.push(performance.now())
      return
    }
    this.#current = undefined
    process.kill('SIGKILL')
    const end = await process.ended
    this.deaths++
    if (crashAt !== undefined && end.signal === 'SIGKILL') this.points++
    else problem(`the service did not start: code ${end.code}, signal ${end.signal}\n${process.stderr.slice(-2_000)}`)
  }

  async #died(process: ServiceProcess, way: string): Promise<void> {
    const { problem, tally } = this.#o
    process.kill('SIGKILL')
    const end = await process.ended
    this.#current = undefined
    this.deaths++
    if (way !== 'a random moment') this.points++
    tallied(tally, `service, ${way}`)
    if (end.signal !== 'SIGKILL') problem(`the service ended with code ${end.code}\n${process.stderr.slice(-2_000)}`)
    this.#check(process)
  }

  #check(process: ServiceProcess | undefined): void {
    if (process !== undefined && /unhandled|uncaught|MaxListeners|TypeError|RangeError/i.test(process.stderr))
      this.#o.problem(`the service wrote to standard error:\n${process.stderr.slice(-2_000)}`)
  }
}
