import type { SlsClient } from 'millrace/sls'
import { readWhole, WholeFile } from '../shared/whole-file.ts'

/** What went wrong on purpose, over all starts of a run. */
export interface Done {
  readonly split: boolean
  readonly killed: boolean
}

/** How far a run is. */
export interface Stage {
  /** Part of the input that is written, from 0 to 1; undefined when nobody knows its size. */
  readonly written: number | undefined
  /** Nothing more will be written. */
  readonly complete: boolean
  readonly elapsedMs: number
  /** Since the last checkpoint; undefined before the first. */
  readonly checkpointAgeMs: number | undefined
}

const killAfterMs = 300

/** Splits a shard and kills a subtask, each once in a run, while the job works. */
export class Mishaps {
  readonly #file: WholeFile
  readonly #client: SlsClient
  #done: Done
  /** A subtask is to be killed. */
  #armed = false

  private constructor(path: string, client: SlsClient, done: Done) {
    this.#file = new WholeFile(path)
    this.#client = client
    this.#done = done
  }

  static async open(path: string, client: SlsClient): Promise<Mishaps> {
    return new Mishaps(path, client, (await readWhole<Done>(path)) ?? { split: false, killed: false })
  }

  /** Lets happen what is due; gives what happened. */
  async look({ written, complete, elapsedMs, checkpointAgeMs }: Stage): Promise<string | undefined> {
    const passed = (part: number, ms: number): boolean =>
      complete || (written === undefined ? elapsedMs >= ms : written >= part)
    if (!this.#done.split && passed(0.2, 3000)) return this.#split()
    // In the middle between two checkpoints there is something to be done again.
    const between = checkpointAgeMs !== undefined && (complete || checkpointAgeMs >= killAfterMs)
    this.#armed = !this.#done.killed && between && passed(0.4, 5000)
    return undefined
  }

  /** Called where the subtask is to be killed. @throws Error once */
  strike(): void {
    if (!this.#armed) return
    this.#armed = false
    // Forgotten if the process is killed right now: then it happens once more.
    this.#note({ ...this.#done, killed: true }).catch(() => {})
    throw new Error('killed on purpose, to show a restart')
  }

  async #split(): Promise<string> {
    await this.#note({ ...this.#done, split: true })
    const [shard] = (await this.#client.shards.list('access')).filter(({ status }) => status === 'readwrite')
    if (shard === undefined) return 'no shard can be split'
    try {
      const [, ...children] = await this.#client.shards.split('access', shard.id)
      return `shard ${shard.id} is split into ${children.map(({ id }) => id).join(' and ')}`
    } catch (error) {
      return `shard ${shard.id} could not be split: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  async #note(done: Done): Promise<void> {
    this.#done = done
    await this.#file.write(done)
  }
}
