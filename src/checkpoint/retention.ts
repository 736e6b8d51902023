import type { CheckpointId } from '../core/index.ts'

/**
 * Which published checkpoints may go: those beyond the `retained` newest, never one of the two newest, and none that is
 * not older than `confirmed`, because what it names may still have to be committed (reliability paper, section 2.3).
 */
export const removableCheckpoints = <Published extends { readonly id: CheckpointId }>(
  published: readonly Published[],
  retained: number,
  confirmed: CheckpointId,
): Published[] =>
  [...published]
    .sort((a, b) => b.id - a.id)
    .slice(Math.max(retained, 2))
    .filter(({ id }) => id < confirmed)
