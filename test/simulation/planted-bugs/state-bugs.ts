import type { PlantedBug } from './planted-bug.ts'

/** Barriers, keyed state, splits, steps. */
export const stateBugs: readonly PlantedBug[] = [
  {
    id: 'snapshot-at-first-barrier',
    file: 'src/checkpoint/barrier-aligner.ts',
    search: "    if (this.#missing > 0) return { kind: 'block', id }\n",
    replacement: '',
    breaks: 'records behind a barrier are in the snapshot before it, or the other way round',
  },
  {
    id: 'channel-not-blocked',
    file: 'src/checkpoint/barrier-aligner.ts',
    search: '    return this.#aligning !== undefined && this.#delivered[channel] === true\n',
    replacement: '    return this.#aligning !== undefined && this.#delivered[channel] === undefined\n',
    breaks: 'records behind a barrier are in the snapshot before it',
  },
  {
    id: 'no-take-before-touch',
    file: 'src/runtime/keyed-state.ts',
    search: '    if (entry.snapshot !== this.snapshotNumber) this.beforeTouch?.(entry, group)\n',
    replacement: '    void group\n',
    breaks: 'a snapshot has values from after its barrier',
  },
  {
    id: 'groups-lost-at-rescale',
    file: 'src/runtime/keyed-snapshot.ts',
    search: '  return a.first <= b.last && b.first <= a.last\n',
    replacement: '  return oldSubtask === newSubtask && a.first <= b.last\n',
    breaks: 'keyed state is lost when the parallelism changes',
  },
  {
    id: 'routed-by-parallelism',
    file: 'src/runtime/record-writer.ts',
    search:
      '        const target = subtaskOfKeyGroup(keyGroupOf(hash, maxParallelism), maxParallelism, channels.length)\n',
    replacement:
      '        const target = channels.length < 1 ? subtaskOfKeyGroup(keyGroupOf(hash, maxParallelism), maxParallelism, 1) : keyGroupOf(hash, channels.length)\n',
    breaks: 'a record goes to a subtask that does not have the state of its key',
  },
  {
    id: 'splits-given-twice',
    file: 'test/simulation/sharded-log.ts',
    search: '    this.#assigned = new Set(restored?.assigned)\n',
    replacement: '    this.#assigned = new Set(restored?.finished)\n',
    breaks: 'the enumerator hands out splits that readers restore by themselves',
  },
  {
    id: 'splits-attached-twice',
    file: 'src/runtime/source-coordinator.ts',
    search: '    if (splits.length > 0) this.#assign(subtask, splits)\n',
    replacement:
      "    if (splits.length > 0) this.#assign(subtask, splits)\n    if (splits.length > 0) input.tell({ kind: 'add-splits', splits: splits.map((split) => ({ ...split, splitId: split.splitId + split.splitId })) })\n",
    breaks: 'restored splits are read twice',
  },
  {
    id: 'splits-of-other-subtasks-lost',
    file: 'src/runtime/source-coordinator.ts',
    search: '    if (stored.parallelism === parallelism) {\n',
    replacement: '    if (stored.parallelism > 0) {\n',
    breaks: 'splits are lost when the parallelism shrinks',
  },
  {
    id: 'position-at-fetch',
    file: 'src/source/fetching-source-reader.ts',
    search: '    const unfinished = Array.from(this.#splits.values(), (split) => split.given)\n',
    replacement: '    const unfinished = Array.from(this.#splits.values(), (split) => split.fetched)\n',
    breaks: 'records that were fetched and not emitted are lost',
  },
  {
    id: 'finished-split-forgotten',
    file: 'src/source/fetching-source-reader.ts',
    search: '    return [...this.#finished.snapshot(checkpointId), ...unfinished]\n',
    replacement: '    this.#finished.snapshot(checkpointId)\n    return unfinished\n',
    breaks: 'a finished split is in no snapshot until the enumerator knows it',
  },
  {
    id: 'finished-not-announced-again',
    file: 'src/source/fetching-source-reader.ts',
    search: '        this.#finished.add(split)\n        this.#splitReader.onFinished?.(split)\n        continue\n',
    replacement: '        this.#finished.add(split)\n        continue\n',
    breaks: 'children of a split wait for a parent that has ended',
    scenarios: ['sharded'],
  },
  {
    id: 'child-before-parent',
    file: 'test/simulation/sharded-log.ts',
    search: '    return shard.parents.every((parent) => this.#finished.has(parent))\n',
    replacement: '    return shard.parents.every((parent) => this.#assigned.has(parent))\n',
    breaks: 'a shard is read while a parent of it is',
    scenarios: ['sharded'],
  },
  {
    id: 'timers-not-restored',
    file: 'src/runtime/keyed-state.ts',
    search: '    for (const at of timers) this.timers.add(at, entry)\n',
    replacement: '    if (timers.length < 0) this.timers.add(0, entry)\n',
    breaks: 'a timer that was set before a crash never fires',
    scenarios: ['steps'],
  },
  {
    id: 'dead-letters-skipped',
    file: 'src/runtime/async-transforms.ts',
    search: '      if (dead.length > 0) {\n',
    replacement: '      if (dead.length > 1) {\n',
    breaks: 'a record that the schema refuses is dropped',
    scenarios: ['steps'],
  },
  {
    id: 'async-not-awaited',
    file: 'src/runtime/async-transforms.ts',
    search:
      "    await context.awaitUser(settled(workers), 'the promises of mapAsync')\n    await context.outputs.main.emit({\n      kind: 'batch',\n      records: results,\n      bytes: batch.bytes,\n      timestamps: batch.timestamps,\n      origins: batch.origins,\n    })\n",
    replacement:
      '    void settled(workers).then(() => context.outputs.main.emit({ ...batch, keys: undefined, keyHashes: undefined, records: results }))\n',
    breaks: 'a barrier overtakes records that wait for a promise',
    scenarios: ['steps'],
  },
]
