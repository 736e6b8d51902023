import { asError } from '../core/index.ts'
import { type ServiceCore, streamOf } from './service-core.ts'
import type { Logstore, Shard } from './service-state.ts'

const readAtOnce = 256

/** Gives back the space of groups that are too old or too many. They are hidden before: this only cleans up. */
export class Retention {
  readonly #core: ServiceCore
  #cancel: () => void = () => {}
  #sweeping: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(core: ServiceCore) {
    this.#core = core
  }

  start(): void {
    const { clock } = this.#core.ports
    const again = (): void => {
      if (this.#stopped) return
      this.#cancel = clock.timer(this.#core.settings.sweepIntervalMs, () => {
        this.#sweeping = this.sweep().then(again)
      })
    }
    again()
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#sweeping
  }

  /** Looks at every shard once. A failure is logged, and the next sweep tries again. */
  async sweep(): Promise<void> {
    const { state, ports } = this.#core
    for (const project of [...state.projects.values()])
      for (const logstore of [...project.logstores.values()])
        for (const shard of [...logstore.shards.values()]) {
          if (this.#stopped) return
          try {
            await this.#trim(logstore, shard)
          } catch (error) {
            const place = { logstore: logstore.name, shard: shard.id }
            ports.log.warn({ ...place, err: asError(error) }, 'expired groups could not be removed yet')
          }
        }
  }

  async #trim(logstore: Logstore, shard: Shard): Promise<void> {
    const { storage } = this.#core
    const stream = streamOf(shard)
    const begin = await this.#pastSize(shard, this.#core.beginIndex(shard, logstore))
    if (begin > storage.begin(stream)) await storage.trim(stream, begin)
  }

  /** The first group to keep so that the shard is not larger than allowed; its newest group always stays. */
  async #pastSize(shard: Shard, begin: number): Promise<number> {
    const { storage, settings } = this.#core
    const stream = streamOf(shard)
    const most = settings.shardBytesMax
    if (most === undefined) return begin
    let excess = storage.bytes(stream) - most
    let index = storage.begin(stream)
    const last = storage.end(stream) - 1
    while (excess > 0 && index < last) {
      const groups = await storage.read(stream, index, { count: readAtOnce, rawBytesMax: excess, before: last })
      if (groups.length === 0) break
      for (const group of groups) {
        if (excess <= 0) break
        excess -= group.rawBytes
        index = group.index + 1
      }
    }
    return Math.max(begin, index)
  }
}
