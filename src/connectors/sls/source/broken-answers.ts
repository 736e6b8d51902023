/**
 * Tries at a position before its answers are taken for broken for good. What breaks them may be a connection that passes:
 * with the back-off of a reader these take 10 to 20 s.
 */
const triesMax = 8
/** Tries at a position when one LogGroup alone is asked for. */
const singleTriesMax = 5
const groupsLimit = 1000

/**
 * Finds the LogGroup because of which the answers of a shard cannot be read: asks for ever fewer, until the answer with it
 * alone is broken too. That takes about twenty pulls of a thousand LogGroups; nothing is passed over on the way.
 */
export class BrokenAnswers {
  /** Where the last answer was broken. */
  #cursor: bigint | undefined
  #tries = 0
  /** LogGroups to ask for at once; undefined: as many as usual. */
  #groupsMax: number | undefined
  /** Behind every LogGroup of the answer that was broken first. */
  #until = 0n
  /** The LogGroup was found: ever more are asked for, as long as the answers are whole. */
  #found = false

  /** How often in a row the answer at the same position was broken. */
  get tries(): number {
    return this.#tries
  }

  /** How many LogGroups to ask for. */
  groupsMaxAt(cursor: bigint, usual: number): number {
    if (!this.#found && cursor >= this.#until) this.#groupsMax = undefined
    return Math.min(this.#groupsMax ?? usual, usual)
  }

  /** An answer could be read. */
  whole(): void {
    this.#cursor = undefined
    this.#tries = 0
    if (!this.#found || this.#groupsMax === undefined) return
    this.#groupsMax *= 2
    if (this.#groupsMax < groupsLimit) return
    this.#groupsMax = undefined
    this.#found = false
  }

  /**
   * An answer could not be read. `again`: it may pass, to be asked after a wait. `fewer`: to be asked at once, for fewer
   * LogGroups. `one`: it is the one LogGroup that was asked for.
   * @param lasting it would be the same again
   */
  broken(cursor: bigint, groupsMax: number, lasting: boolean): 'again' | 'fewer' | 'one' {
    if (cursor !== this.#cursor) this.#tries = 0
    this.#cursor = cursor
    this.#tries++
    const searching = this.#groupsMax !== undefined
    if (groupsMax === 1) {
      const max = searching ? singleTriesMax : triesMax
      return lasting || this.#tries >= max ? 'one' : 'again'
    }
    if (!searching && !lasting && this.#tries < triesMax) return 'again'
    this.#tries = 0
    this.#groupsMax = Math.floor(groupsMax / 2)
    this.#until = cursor + BigInt(groupsMax)
    this.#found = false
    return 'fewer'
  }

  /** The one LogGroup was passed over. Others like it may follow: the next are asked for with care. */
  passed(): void {
    this.#cursor = undefined
    this.#tries = 0
    this.#groupsMax = 1
    this.#found = true
  }
}
