/**
 * LogGroups in a row of one shard that cannot be decoded. It begins afresh where a pull does not go on from the one before:
 * what was fetched ahead and dropped is not counted twice.
 */
export class InvalidRun {
  #count = 0
  #next: bigint | undefined

  /** A pull begins at a position. */
  begin(cursor: bigint): void {
    if (cursor !== this.#next) this.#count = 0
  }

  /** It ended, and the next one goes on there. */
  end(next: bigint): void {
    this.#next = next
  }

  valid(): void {
    this.#count = 0
  }

  /** One more; gives their number. */
  invalid(): number {
    return ++this.#count
  }
}
