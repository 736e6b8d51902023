/** Hears which step runs now, so that a watchdog can name the one that never returns. The default hears nothing. */
export interface ProgressMark {
  enter(step: string): void
  /** No step's code runs now. */
  leave(): void
}

export const noProgressMark: ProgressMark = { enter() {}, leave() {} }
