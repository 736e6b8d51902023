/** One process that ran the job. */
export interface Life {
  /** The attempts it made, as their generations: more than one when it restarted the job by itself. */
  readonly generations: readonly number[]
  /** How often the log service died while it lived. */
  readonly serviceDeaths: number
  /** What the consumer group said before it began: all before that position was in a completed checkpoint. */
  readonly floor: ReadonlyMap<number, bigint>
  /** Logs in puts of which it did not know whether they were stored; undefined when it was killed before it could tell. */
  readonly ambiguous: number | undefined
  /** The same, as it said it last. */
  readonly ambiguousAtLeast: number
}

/** The life of each generation. */
export const livesByGeneration = (lives: readonly Life[]): ReadonlyMap<number, number> =>
  new Map(lives.flatMap(({ generations }, life) => generations.map((generation) => [generation, life] as const)))
