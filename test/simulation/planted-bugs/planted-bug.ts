/** A mistake put into the real code on purpose: the simulation must notice it. */
export interface PlantedBug {
  readonly id: string
  /** Below the root of the repository. */
  readonly file: string
  /** Occurs there exactly once. */
  readonly search: string
  readonly replacement: string
  /** What goes wrong with it. */
  readonly breaks: string
  /** Where it can show; default: every scenario. */
  readonly scenarios?: readonly string[]
}
