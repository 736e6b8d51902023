import type { SlsClient } from 'millrace/sls'
import type { LineTable, Place } from './line-table.ts'

/** The last line of a file that was seen: its first byte, and the one behind its last. */
export interface FileEnd {
  readonly start: number
  readonly end: number
}

/**
 * Reads logstores with a client, apart from any job, and keeps account of the lines in them. Reads on from where it was
 * when it is asked again.
 */
export class Survey {
  /** Logs by level, of all that `access` has. */
  readonly levels = new Map<string, number>()
  /** Logs of the largest LogGroup of `access`. */
  groupLogs = 0
  /** Where the lines of each file end, in `access`. */
  readonly ends = new Map<string, FileEnd>()
  readonly #client: SlsClient
  readonly #table: LineTable
  /** By logstore and shard. */
  readonly #positions = new Map<string, bigint>()

  constructor(client: SlsClient, table: LineTable) {
    this.#client = client
    this.#table = table
  }

  /** Reads what a logstore has now, or of each shard what is before a position. */
  async read(place: Place, logstore: string, before?: ReadonlyMap<number, bigint>): Promise<void> {
    for (const { id } of await this.#client.shards.list(logstore)) {
      const begin = await this.#client.shards.cursor(logstore, id, 'begin')
      const end = before === undefined ? await this.#client.shards.cursor(logstore, id, 'end') : before.get(id)
      if (end !== undefined) await this.#readShard(place, logstore, id, begin, end)
    }
  }

  async #readShard(place: Place, logstore: string, shard: number, begin: bigint, end: bigint): Promise<void> {
    const key = `${logstore}/${shard}`
    let position = this.#positions.get(key) ?? begin
    while (position < end) {
      const { groups, nextPosition } = await this.#client.pull({ logstore, shard, position, endPosition: end })
      for (const group of groups) {
        if (place === 'access') this.groupLogs = Math.max(this.groupLogs, group.logCount)
        for (const log of group.logs()) {
          const [file = '', offset = -1] = [log.get('file'), Number(log.get('offset'))]
          const bytes = log.getBytes('line') ?? new Uint8Array()
          this.#table.add(place, file, offset, bytes)
          if (place === 'access') this.#note(log.get('level') ?? '', file, offset, bytes.length)
        }
      }
      position = nextPosition
      this.#positions.set(key, position)
    }
  }

  #note(level: string, file: string, start: number, length: number): void {
    this.levels.set(level, (this.levels.get(level) ?? 0) + 1)
    if (start >= (this.ends.get(file)?.start ?? 0)) this.ends.set(file, { start, end: start + length })
  }
}
