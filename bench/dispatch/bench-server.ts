import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What the server offers from now on. */
export interface ServerPlan {
  readonly shards: number
  /** Pulls until a shard has no more. */
  readonly pulls: number
  /** Raw bytes that come in each second, in small groups; 0: all is there already. */
  readonly bytesPerSecond: number
  /** What a pull gives: about 3 MB in 12 groups, or one group of 256 KiB. */
  readonly list: 'large' | 'small'
  /** Answers nothing but listings of shards until another plan comes. */
  readonly held: boolean
}

/** What it was given since the last plan. */
export interface ServerReport {
  readonly puts: number
  readonly rawBytes: number
  /** Logs of the puts that were decoded, and the bytes of those. */
  readonly records: number
  readonly recordBytes: number
  readonly pulls: number
}

export interface ServerFacts {
  readonly port: number
  /** Raw bytes of what a pull gives, by list. */
  readonly largeBytes: number
  readonly smallBytes: number
}

const everything: ServerPlan = { shards: 1, pulls: 2 ** 40, bytesPerSecond: 0, list: 'large', held: false }

/** The other end, in a process of its own: what it costs is not measured. */
export class BenchServer {
  readonly #child: ChildProcess
  readonly facts: ServerFacts

  private constructor(child: ChildProcess, facts: ServerFacts) {
    this.#child = child
    this.facts = facts
  }

  static async start(): Promise<BenchServer> {
    const child = fork(fileURLToPath(new URL('./server-main.js', import.meta.url)), [], { execArgv: [] })
    const [facts] = (await once(child, 'message')) as [ServerFacts]
    return new BenchServer(child, facts)
  }

  /** Gives what happened since the last plan. */
  async plan(plan: Partial<ServerPlan>): Promise<ServerReport> {
    return this.#ask({ plan: { ...everything, ...plan } })
  }

  report(): Promise<ServerReport> {
    return this.#ask({})
  }

  /** Resolves when the first call is held. */
  async held(): Promise<void> {
    for (;;) {
      const [message] = (await once(this.#child, 'message')) as [object]
      if ('held' in message) return
    }
  }

  async stop(): Promise<void> {
    this.#child.disconnect()
    await once(this.#child, 'exit')
  }

  async #ask(message: object): Promise<ServerReport> {
    this.#child.send(message)
    for (;;) {
      const [report] = (await once(this.#child, 'message')) as [ServerReport | { readonly held: true }]
      if ('puts' in report) return report
    }
  }
}
