import type { PlantedBug } from './planted-bug.ts'

const store = 'src/checkpoint/directory-checkpoint-store.ts'
const attempt = 'src/runtime/job-attempt.ts'
const start = 'src/runtime/attempt-start.ts'
const committer = 'src/runtime/sink-committer.ts'

/** The two-phase commit between checkpoints and sinks. */
export const commitBugs: readonly PlantedBug[] = [
  {
    id: 'commit-before-publish',
    file: 'src/checkpoint/checkpoint-coordinator.ts',
    search: '    const manifest = await attempt.writer.publish(operators)\n',
    replacement:
      "    if (kind !== 'savepoint') await target.completed(id)\n    const manifest = await attempt.writer.publish(operators)\n",
    breaks: 'output is visible that no checkpoint knows',
  },
  {
    id: 'never-commit',
    file: committer,
    search: '      const due = this.#pending.filter((receipt) => receipt.checkpointId <= id)\n',
    replacement: '      const due = this.#pending.filter((receipt) => receipt.checkpointId < 0 && id > 0)\n',
    breaks: 'nothing becomes visible',
  },
  {
    id: 'pending-not-restored',
    file: start,
    search: "    committer.restore(await stored.readAll(stored.parts(node.name, 'committables')))\n",
    replacement: '',
    breaks: 'output that was staged before a crash never becomes visible',
  },
  {
    id: 'orphans-before-commit',
    file: start,
    search: '  if (restoredId !== undefined) {\n',
    replacement:
      '  for (const committer of committers.values()) await committer.abortOrphans()\n  if (restoredId !== undefined) {\n',
    breaks: 'staged output that the checkpoint names is removed',
  },
  {
    id: 'orphans-stay',
    file: committer,
    search: '    return this.#o.committer.abortOrphans()\n',
    replacement: '    return Promise.resolve()\n',
    breaks: 'staged files of crashed attempts stay for ever',
  },
  {
    id: 'only-own-receipts',
    file: committer,
    search: '      const due = this.#pending.filter((receipt) => receipt.checkpointId <= id)\n',
    replacement:
      '      this.#pending = this.#pending.filter((receipt) => receipt.checkpointId >= id)\n      const due = this.#pending.filter((receipt) => receipt.checkpointId === id)\n',
    breaks: 'receipts of a checkpoint that did not complete are dropped by the next one',
  },
  {
    id: 'aborted-receipts-dropped',
    file: 'src/runtime/subtask.ts',
    search: '      if (committables !== undefined && committables.length > 0) this.#o',
    replacement:
      '      if (committables !== undefined && this.#o.supervisor.checkpointWriter(id) !== undefined) this.#o',
    breaks: 'output staged for a checkpoint that was given up is lost',
  },
  {
    id: 'older-receipts-not-stored',
    file: committer,
    search: '    const held = this.#pending.filter((receipt) => receipt.checkpointId <= id)\n',
    replacement: '    const held = this.#pending.filter((receipt) => receipt.checkpointId === id)\n',
    breaks: 'a receipt whose commit is not confirmed is missing in the next checkpoint',
  },
  {
    id: 'flush-not-awaited',
    file: 'src/runtime/sink-operator.ts',
    search: "      await opening(place, 'flush', () => writer.flush(endOfInput))\n",
    replacement: "      void opening(place, 'flush', () => writer.flush(endOfInput)).catch(() => {})\n",
    breaks: 'a barrier passes a sink that still holds records',
  },
  {
    id: 'barrier-before-staged',
    file: 'src/runtime/subtask.ts',
    search:
      "    await chain.prepareBarrier(id, this.#ended)\n    status.otherwise = undefined\n    chain.broadcast({ kind: 'barrier', id })\n    const snapshots = chain.snapshot(id)\n",
    replacement:
      "    chain.broadcast({ kind: 'barrier', id })\n    const snapshots = chain.snapshot(id)\n    await chain.prepareBarrier(id, this.#ended)\n    status.otherwise = undefined\n",
    breaks: 'the snapshot of a sink misses the receipts of its barrier',
  },
  {
    id: 'no-final-checkpoint',
    file: attempt,
    search: "      await this.#checkpointUntilDone('final')\n",
    replacement: '',
    breaks: 'what came after the last periodic checkpoint is not committed at the end',
  },
  {
    id: 'same-generation-again',
    file: store,
    search: '    return this.#session(request, scan, found, await this.#claim(request, generation(newest + 1)))\n',
    replacement:
      '    return this.#session(request, scan, found, await this.#claim(request, generation(Math.max(1, newest))))\n',
    breaks: 'a restart does not take a generation of its own',
  },
  {
    id: 'commits-not-kept-pending',
    file: committer,
    search: '    for (const receipt of later) receipt.retries++\n',
    replacement: '    this.#pending = this.#pending.filter((receipt) => !later.has(receipt))\n',
    breaks: 'a commit that has to be tried again is forgotten',
  },
]
