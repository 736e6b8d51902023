import { type Life, livesByGeneration } from './lives.ts'
import { textOf } from './records.ts'
import { Positions, type StoredLogs } from './stored.ts'

type Problem = (text: string) => void

/** A log of the target, as far as it matters here. */
export interface Copy {
  readonly id: number
  readonly shard: number
  readonly cursor: string
  readonly index: number
  readonly life: number
  readonly text: string
  /** The package it came in: `<writer>-<number>`. */
  readonly packTag: string
}

/** What an at-least-once output holds. */
export interface CopiesFound {
  readonly logs: number
  readonly lost: number
  /** Copies beyond the first, made by a process that read the record again after a restore. */
  readonly afterRestores: number
  /** Copies beyond the first within one package: it was sent again because an answer was lost. */
  readonly afterAmbiguity: number
  /** How many copies there may be beyond the first, by what happened to the processes. */
  readonly bound: number
}

/**
 * Holds the copies in the target against what may be: of each log of the source at least one, and no more than one for each
 * process that read it since the last checkpoint before it, and for each answer that was lost.
 */
export class CopiesJudge {
  readonly #stored: StoredLogs
  readonly #ids: readonly number[]
  readonly #lives: readonly Life[]
  readonly #problem: Problem
  readonly #positions = new Positions()
  /** By number: packages, and who sent them. */
  readonly #packs: { readonly tag: string; readonly life: number }[] = []
  readonly #packNumbers = new Map<string, number>()
  /** By place: the packages of the copies. */
  readonly #copies: number[][]
  #logs = 0

  constructor(stored: StoredLogs, lives: readonly Life[], problem: Problem) {
    this.#stored = stored
    this.#ids = stored.ids()
    this.#lives = lives
    this.#problem = problem
    this.#copies = Array.from({ length: stored.count }, () => [])
  }

  add(copy: Copy): void {
    this.#logs++
    const { id, shard, cursor, index, life, text, packTag } = copy
    const position = this.#positions.of(cursor)
    const place = position === undefined ? undefined : this.#stored.placeOf(shard, position, index)
    if (position === undefined || place === undefined || this.#ids[place] !== id || text !== textOf(id)) {
      this.#problem(`the target has a log that is none of the source: ${JSON.stringify(copy).slice(0, 200)}`)
      return
    }
    const floor = this.#lives[life]?.floor.get(shard)
    if (floor !== undefined && position < floor)
      this.#problem(`process ${life} sent log ${place} of shard ${shard} again, which its consumer group had as done`)
    this.#copies[place]?.push(this.#packOf(packTag, life))
  }

  #packOf(tag: string, life: number): number {
    const known = this.#packNumbers.get(tag)
    if (known !== undefined) {
      if (this.#packs[known]?.life !== life) this.#problem(`package ${tag} has logs of two processes`)
      return known
    }
    this.#packs.push({ tag, life })
    this.#packNumbers.set(tag, this.#packs.length - 1)
    return this.#packs.length - 1
  }

  /** @param generations of each place, the attempt whose checkpoint was the first to have it */
  judge(generations: Int32Array): CopiesFound {
    const lifeOf = livesByGeneration(this.#lives)
    /** Logs that a process sent again for want of an answer. */
    const resent = this.#lives.map(() => 0)
    let [lost, afterRestores, afterAmbiguity, bound] = [0, 0, 0, 0]
    for (const [place, packs] of this.#copies.entries()) {
      const settled = lifeOf.get(generations[place] ?? 0)
      if (packs.length === 0) lost++
      else if (settled !== undefined) {
        const found = this.#judgePlace(place, packs, settled, resent)
        afterRestores += found.restores
        afterAmbiguity += packs.length - 1 - found.restores
        bound += found.bound
      }
    }
    if (lost > 0) this.#problem(`${lost} of ${this.#copies.length} logs are missing in the target`)
    for (const [life, { ambiguous }] of this.#lives.entries()) {
      const times = resent[life] ?? 0
      if (ambiguous !== undefined && times > ambiguous)
        this.#problem(`process ${life} had ${ambiguous} logs without an answer, and ${times} are there once too often`)
    }
    return { logs: this.#logs, lost, afterRestores, afterAmbiguity, bound }
  }

  #judgePlace(
    place: number,
    packs: readonly number[],
    settled: number,
    resent: number[],
  ): { readonly restores: number; readonly bound: number } {
    const times = new Map<number, number>()
    for (const pack of packs) times.set(pack, (times.get(pack) ?? 0) + 1)
    /** Packages that had the log, by process. */
    const byLife = new Map<number, string[]>()
    let first = settled
    let deaths = 0
    for (const [pack, count] of times) {
      const { tag, life } = this.#packs[pack] ?? { tag: '', life: -1 }
      byLife.set(life, [...(byLife.get(life) ?? []), tag])
      first = Math.min(first, life)
      const serviceDeaths = this.#lives[life]?.serviceDeaths ?? 0
      deaths += serviceDeaths
      resent[life] = (resent[life] ?? 0) + count - 1
      if (count > 1 + serviceDeaths)
        this.#problem(
          `package ${tag} has log ${place} ${count} times; the service died ${serviceDeaths} times meanwhile`,
        )
    }
    for (const [life, tags] of byLife) {
      if (life > settled)
        this.#problem(`process ${life} sent log ${place} again, which a checkpoint of process ${settled} had`)
      const attempts = this.#lives[life]?.generations.length ?? 0
      if (tags.length > Math.max(1, attempts) || new Set(tags.map(writerOf)).size < tags.length)
        this.#problem(`process ${life} sent log ${place} in the packages ${tags.join(', ')}, with ${attempts} starts`)
    }
    if (!byLife.has(settled))
      this.#problem(`a checkpoint of process ${settled} has log ${place}, which that process did not send`)
    return { restores: times.size - 1, bound: restartsBetween(this.#lives, first, settled) + deaths }
  }
}

const writerOf = (packTag: string): string => packTag.slice(0, packTag.lastIndexOf('-'))

/** Starts of the job after the one that may first have sent a log, up to the one that settled it. */
const restartsBetween = (lives: readonly Life[], first: number, settled: number): number =>
  lives.slice(first, settled + 1).reduce((sum, { generations }) => sum + Math.max(1, generations.length), 0) - 1
