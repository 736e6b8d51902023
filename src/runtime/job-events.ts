/** What happened to a job, in the order it happened. */
export type JobEvent =
  /** An attempt owns its state and runs; `restored` is the checkpoint it began from. */
  | { readonly kind: 'started'; readonly generation: number; readonly restored: number | undefined }
  | {
      readonly kind: 'checkpoint-completed'
      readonly checkpointId: number
      readonly durationMs: number
      readonly bytes: number
    }
  | {
      readonly kind: 'checkpoint-failed'
      readonly checkpointId: number
      readonly reason: string
      readonly message: string
    }
  | { readonly kind: 'restarting'; readonly attempt: number; readonly delayMs: number; readonly cause: Error }
  | { readonly kind: 'stopping'; readonly drain: boolean }
  | { readonly kind: 'finished'; readonly outcome: 'finished' | 'stopped' }
  | { readonly kind: 'failed'; readonly cause: Error }
