import { createHash } from 'node:crypto'
import { encodeLogGroup, type LogGroupView } from '../../../src/wire/index.ts'
import type { Draws } from '../random.ts'

/** A group that tells who it is, and whose bytes can be made again from its name. */
export const groupOf = (id: string, draws: Draws): Uint8Array => {
  const logs = Array.from({ length: 1 + Math.floor(draws.float() * 20) }, (_, index) => ({
    time: 1_772_510_706,
    contents: { n: String(index), text: 'x'.repeat(Math.floor(draws.exponential(200))) },
  }))
  return encodeLogGroup({ topic: id, logs })
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What writers and readers were told, to be held against what is there. */
export class Ledger {
  /** Acknowledged groups: id → hash. */
  readonly acknowledged = new Map<string, string>()
  /** Groups of which nobody knows. */
  readonly doubtful = new Map<string, string>()
  /** Cursors handed out, and the group behind each; undefined while it stood at the end. */
  readonly cursors = new Map<string, string | undefined>()

  tried(id: string, bytes: Uint8Array, stored: boolean | undefined): void {
    if (stored === true) this.acknowledged.set(id, hashOf(bytes))
    else if (stored === undefined) this.doubtful.set(id, hashOf(bytes))
  }

  /** What is wrong with a group that was read; undefined when nothing is. */
  judge(group: LogGroupView): string | undefined {
    const id = group.topic ?? ''
    const expected = this.acknowledged.get(id) ?? this.doubtful.get(id)
    if (expected === undefined) return `group ${id} was never put, or was refused`
    return hashOf(group.bytes) === expected ? undefined : `group ${id} is not as it was put`
  }

  /** What is wrong with the group behind a cursor that was handed out. */
  behind(place: string, group: LogGroupView | undefined): string | undefined {
    const before = this.cursors.get(place)
    const now = group?.topic
    if (before !== undefined && before !== now) return `cursor ${place} gave ${before}, and now ${now ?? 'nothing'}`
    this.cursors.set(place, now)
    return undefined
  }
}
