import type { BlockCodec, BlockCodecName, Compression } from '../core/index.ts'
import { findTail, type Lz4Group, listGroupPrefix, logGroupList, stitchLogGroupList } from '../wire/index.ts'
import type { Filtered } from './filter-groups.ts'
import type { StoredGroup } from './storage/log-storage.ts'

/** The body of a pull, and what its headers say of it. */
export interface PulledGroups {
  readonly body: Uint8Array
  /** Bytes of the body before compression. */
  readonly rawBytes: number
  /** Log groups in it. */
  readonly count: number
  /** Logs read and logs given; only counted when there is a filter. */
  readonly linesBefore: number
  readonly linesAfter: number
}

const empty = new Uint8Array(0)

const tailOf = (block: Uint8Array): number | undefined => {
  try {
    return findTail(block).tail
  } catch {
    return undefined
  }
}

/** Makes LogGroupLists of stored blocks. */
export class PullBodies {
  readonly #compression: Compression
  /** Where the blocks that the storage has in memory end; undefined for one that decodes and yet breaks the rules. */
  readonly #tails = new WeakMap<Uint8Array, { readonly tail: number | undefined }>()

  constructor(compression: Compression) {
    this.#compression = compression
  }

  /** All groups as they are. */
  async whole(stored: readonly StoredGroup[], name: BlockCodecName | undefined): Promise<PulledGroups> {
    const blocks = name === 'lz4' ? this.#lz4Groups(stored) : undefined
    return blocks === undefined ? this.#encoded(await this.#decoded(stored), name, 0, 0) : stitched(blocks)
  }

  async filtered(
    stored: readonly StoredGroup[],
    name: BlockCodecName | undefined,
    filter: (groups: readonly Uint8Array[]) => Filtered,
  ): Promise<PulledGroups> {
    const { groups, linesBefore, linesAfter } = filter(await this.#decoded(stored))
    return this.#encoded(groups, name, linesBefore, linesAfter)
  }

  /** Undefined when one of them cannot be put into a longer block as it is. */
  #lz4Groups(stored: readonly StoredGroup[]): Lz4Group[] | undefined {
    const groups: Lz4Group[] = []
    for (const { block, rawBytes } of stored) {
      const { tail } = this.#tails.get(block) ?? { tail: tailOf(block) }
      this.#tails.set(block, { tail })
      if (tail === undefined) return undefined
      groups.push({ block, rawBytes, tail })
    }
    return groups
  }

  async #decoded(stored: readonly StoredGroup[]): Promise<Uint8Array[]> {
    if (stored.length === 0) return []
    const lz4: BlockCodec = await this.#compression.blockCodec('lz4')
    return stored.map(({ block, rawBytes }) => lz4.decompress(block, rawBytes))
  }

  async #encoded(
    groups: readonly Uint8Array[],
    name: BlockCodecName | undefined,
    linesBefore: number,
    linesAfter: number,
  ): Promise<PulledGroups> {
    const lines = { linesBefore, linesAfter }
    if (groups.length === 0) return { body: empty, rawBytes: 0, count: 0, ...lines }
    const list = logGroupList(groups)
    const codec = name === undefined ? undefined : await this.#compression.blockCodec(name)
    const body = codec === undefined ? list : codec.compress(list)
    return { body, rawBytes: list.length, count: groups.length, ...lines }
  }
}

/** The answer most clients ask for: the stored blocks joined to one, and nothing decoded. */
const stitched = (groups: readonly Lz4Group[]): PulledGroups => {
  const count = groups.length
  const rawBytes = groups.reduce((sum, group) => sum + listGroupPrefix(group.rawBytes).length + group.rawBytes, 0)
  return { body: count === 0 ? empty : stitchLogGroupList(groups), rawBytes, count, linesBefore: 0, linesAfter: 0 }
}
