import type { HttpRequest } from '../../../src/core/index.ts'
import type { LogGroupView } from '../../../src/wire/index.ts'
import type { Stage } from '../play.ts'
import { filtered, type SimQuery } from './reading.ts'
import type { RoutingConfig, TargetName } from './routing.ts'
import { targetNames, targetsOf } from './routing.ts'
import type { PlacedRecord } from './shard-truth.ts'
import type { StoredLogGroup } from './stored-group.ts'

/** A group that is to be passed on, as the source gets it. */
interface Owed {
  readonly topic: string
  readonly text: string
  /** How often it is to be given: copies of one put are groups of their own. */
  times: number
  readonly receivedMs: number
}

export interface DispatchTruthOptions {
  readonly stage: Stage
  readonly routing: RoutingConfig
  readonly query: SimQuery | undefined
  readonly groupsOf: (request: HttpRequest) => readonly LogGroupView[]
}

/** How long a group may be under way to a target that answers. */
const patienceMs = 5_000

/** What a dispatch has to pass on, and what its targets hold of it. */
export class DispatchTruth {
  readonly #o: DispatchTruthOptions
  readonly #owed = new Map<string, Owed>()
  readonly #copies = new Map<TargetName, Map<string, number>>(targetNames.map((name) => [name, new Map()]))
  readonly #doubts = new Map<string, number>()
  inDoubt = 0
  passedOn = 0

  constructor(options: DispatchTruthOptions) {
    this.#o = options
  }

  /** The source has this to give. */
  given(group: StoredLogGroup): void {
    const { packId, topic, receivedMs } = group
    const received = filtered(group, this.#o.query)
    if (packId === undefined || received === undefined) return
    const known = this.#owed.get(packId)
    if (known !== undefined) known.times++
    else this.#owed.set(packId, { topic, text: received.text, times: 1, receivedMs })
  }

  /** S9 and S10: it is a group that was read, to the byte, where its topic has to go, and not too often. */
  stored(target: TargetName, { packId = '', text }: StoredLogGroup): void {
    const { stage, routing } = this.#o
    const violate = (what: string): void => stage.world.violate(what)
    const owed = this.#owed.get(packId)
    if (owed === undefined) violate(`S10: ${target} has the package '${packId}', which nobody sent`)
    else if (owed.text !== text) violate(`S10: ${target} has ${text}, and what was read is ${owed.text}`)
    else if (!targetsOf(owed.topic, routing).includes(target)) violate(`S10: ${target} has the topic ${owed.topic}`)
    const copies = this.#count(target, packId) + 1
    this.#copies.get(target)?.set(packId, copies)
    this.passedOn++
    const bound = (owed?.times ?? 0) * stage.starts() + (this.#doubts.get(`${target} ${packId}`) ?? 0)
    if (copies > bound) violate(`S9: ${copies} copies of ${packId} in ${target}; ${bound} are explained`)
  }

  /** Nobody knows how the put ended. */
  doubted(target: string, request: HttpRequest): void {
    this.inDoubt++
    for (const { tags } of this.#o.groupsOf(request)) {
      const key = `${target} ${tags.find(([name]) => name === '__pack_id__')?.[1] ?? ''}`
      this.#doubts.set(key, (this.#doubts.get(key) ?? 0) + 1)
    }
  }

  /** What of these groups is not in a target that it has to be in. */
  missing(records: readonly PlacedRecord[]): string | undefined {
    const times = new Map<string, { topic: string; times: number }>()
    for (const { id, key: topic } of records) times.set(id, { topic, times: (times.get(id)?.times ?? 0) + 1 })
    for (const [id, one] of times) {
      for (const target of targetsOf(one.topic, this.#o.routing)) {
        const copies = this.#count(target, id)
        if (copies < one.times) return `of ${one.times} groups ${id} ${target} has ${copies}`
      }
    }
    return undefined
  }

  /** L5: a target that does not answer holds none of the others while its buffer has room. */
  checkPatience(nowMs: number): void {
    const { stage, routing } = this.#o
    if (!routing.patient) return
    for (const [id, { topic, receivedMs }] of this.#owed) {
      if (receivedMs > nowMs - patienceMs) continue
      const late = targetsOf(topic, routing).find(
        (target) => target !== routing.spell?.target && this.#count(target, id) === 0,
      )
      if (late === undefined) stage.count('not held up')
      else
        stage.world.violate(
          `L5: ${late} has not got ${id} for ${nowMs - receivedMs} ms; ${routing.spell?.target} is down`,
        )
    }
  }

  #count(target: TargetName, packId: string): number {
    return this.#copies.get(target)?.get(packId) ?? 0
  }
}
