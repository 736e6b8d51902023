import type { HttpRequest } from '../../../src/core/index.ts'
import type { Stage } from '../play.ts'
import type { StoredLogGroup } from './stored-group.ts'

/** Copies of each line in the target of an at-least-once sink, watched for S9. */
export class Copies {
  readonly #stage: Stage
  /** The lines of a put. */
  readonly #linesOf: (request: HttpRequest) => readonly string[]
  readonly #copies = new Map<string, number>()
  readonly #ambiguous = new Map<string, number>()
  /** The pack tags of each line, and the lines of each pack tag. */
  readonly #tags = new Map<string, Set<string>>()
  readonly #packs = new Map<string, string>()
  inDoubt = 0

  constructor(stage: Stage, linesOf: (request: HttpRequest) => readonly string[]) {
    this.#stage = stage
    this.#linesOf = linesOf
  }

  get lines(): number {
    return this.#copies.size
  }

  has(line: string): boolean {
    return this.#copies.has(line)
  }

  /** S9: no more copies than attempts of the job, and than puts of which nobody knows how they ended. */
  stored({ logs, packId = '' }: StoredLogGroup): void {
    this.#checkTag(packId, logs)
    for (const { fields } of logs) {
      const { line = '' } = fields
      const copies = (this.#copies.get(line) ?? 0) + 1
      this.#copies.set(line, copies)
      const bound = this.#stage.starts() + (this.#ambiguous.get(line) ?? 0)
      if (copies > bound) this.#stage.world.violate(`S9: ${copies} copies of ${line}; ${bound} are explained`)
    }
  }

  /** A package that is sent again has its tag again, so that a reader can know it: only a new attempt gives a new one. */
  #checkTag(packId: string, logs: StoredLogGroup['logs']): void {
    const { world, starts } = this.#stage
    const lines = logs.map(({ fields }) => fields['line'] ?? '')
    const known = this.#packs.get(packId)
    this.#packs.set(packId, lines.join())
    if (known !== undefined && known !== lines.join()) world.violate(`S9: two packages have the tag ${packId}`)
    for (const line of lines) {
      const tags = this.#tags.get(line) ?? new Set()
      this.#tags.set(line, tags.add(packId))
      if (tags.size > starts()) world.violate(`S9: ${tags.size} tags of ${line} in ${starts()} attempts`)
    }
  }

  /** Nobody knows how the put ended. */
  doubted(request: HttpRequest): void {
    this.inDoubt++
    for (const line of this.#linesOf(request)) this.#ambiguous.set(line, (this.#ambiguous.get(line) ?? 0) + 1)
  }
}
