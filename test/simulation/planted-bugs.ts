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

const store = 'src/checkpoint/directory-checkpoint-store.ts'
const session = 'src/checkpoint/directory-checkpoint-session.ts'
const writer = 'src/checkpoint/directory-checkpoint-writer.ts'
const attempt = 'src/runtime/job-attempt.ts'
const start = 'src/runtime/attempt-start.ts'
const committer = 'src/runtime/sink-committer.ts'
const part = 'src/connectors/files/part.ts'
const sinkCommitter = 'src/connectors/files/file-sink-committer.ts'

/** The protocol of the checkpoint directory. */
const checkpointBugs: readonly PlantedBug[] = [
  {
    id: 'manifest-not-synced',
    file: writer,
    search: '      await file.append(encodeManifest(manifest, digest))\n      await file.sync()\n',
    replacement: '      await file.append(encodeManifest(manifest, digest))\n',
    breaks: 'a power loss leaves a published checkpoint empty or torn',
  },
  {
    id: 'parts-not-synced',
    file: 'src/checkpoint/directory-part-writer.ts',
    search: '      await this.#open.file.sync()\n',
    replacement: '',
    breaks: 'a power loss takes state that a published checkpoint names',
  },
  {
    id: 'part-names-not-synced',
    file: writer,
    search: '    if (this.#partFiles.length > 0) await fs.syncDirectory(this.#directory)\n',
    replacement: '',
    breaks: 'a power loss keeps the manifest and loses the name of a part',
  },
  {
    id: 'publish-not-synced',
    file: writer,
    search:
      '    await fs.rename(temporary, joinPath(this.#directory, manifestName(this.id)))\n    await fs.syncDirectory(this.#directory)\n',
    replacement: '    await fs.rename(temporary, joinPath(this.#directory, manifestName(this.id)))\n',
    breaks: 'output is committed for a checkpoint that a power loss takes back',
  },
  {
    id: 'generation-not-synced',
    file: store,
    search: '    await this.#raceable(request, writeOwner(fs, path, claim))\n    await fs.syncDirectory(this.#root)\n',
    replacement: '    await this.#raceable(request, writeOwner(fs, path, claim))\n',
    breaks: 'a power loss takes a generation with everything published in it',
  },
  {
    id: 'latest-by-text',
    file: 'src/checkpoint/checkpoint-directory.ts',
    search: '  return ids.sort((a, b) => b - a)',
    replacement: '  return ids.sort((a, b) => (String(a) < String(b) ? 1 : -1))',
    breaks: 'checkpoint 9 is taken for newer than 10',
  },
  {
    id: 'no-seal',
    file: store,
    search: '    if (!newest.sealed) {',
    replacement: '    if (newest.generation < 0) {',
    breaks: 'the old owner goes on publishing',
  },
  {
    id: 'no-second-listing',
    file: store,
    search: '    if (other !== undefined) throw this.#lost(request, `generation ${other.generation} exists already`)\n',
    replacement: '    void other\n',
    breaks: 'a starter that slept claims a generation that was over before',
  },
  {
    id: 'no-resync',
    file: 'src/checkpoint/checkpoint-files.ts',
    search:
      '  await syncFile(fs, manifestPath(location))\n  await fs.syncDirectory(location.directory)\n  await fs.syncDirectory(parentPath(location.directory))\n',
    replacement: '',
    breaks: 'output is committed for a checkpoint that was visible and not durable',
  },
  {
    id: 'no-carry-over',
    file: start,
    search: '  await session.carryOver()\n',
    replacement: '  if (session.restored === undefined) await session.carryOver()\n',
    breaks: 'the first checkpoint of the new generation is not the state it started from',
  },
  {
    id: 'carry-over-after-orphans',
    file: start,
    search:
      '  await session.carryOver()\n  for (const committer of committers.values()) await committer.abortOrphans()\n  await session.cleanUp()\n',
    replacement:
      '  for (const committer of committers.values()) await committer.abortOrphans()\n  await session.carryOver()\n  await session.cleanUp()\n',
    breaks: 'an owner that lost the race removes staged files of the one that won',
  },
  {
    id: 'retention-too-eager',
    file: 'src/checkpoint/retention.ts',
    search: '    .slice(Math.max(retained, 2))\n    .filter(({ id }) => id < confirmed)',
    replacement: '    .slice(0)',
    breaks: 'the only checkpoint is removed',
  },
  {
    id: 'skips-corrupt',
    file: 'src/checkpoint/restore-target.ts',
    search: '  const manifest = await readManifest(fs, digest, location)\n  requireJob(',
    replacement:
      "  const manifest = await readManifest(fs, digest, location).catch((error: unknown) => {\n    if (error instanceof RestoreError && scan.published.length > 1) return undefined\n    throw error\n  })\n  if (manifest === undefined) return findRestoreTarget(fs, digest, { ...scan, published: scan.published.slice(1) }, request)\n  requireJob(",
    breaks: 'an older checkpoint is restored, and committed output is written again',
  },
  {
    id: 'no-crc',
    file: 'src/checkpoint/checkpoint-manifest.ts',
    search: '  const intact = tail?.[1] === crc32 && head.bytes === bytes.length',
    replacement: '  const intact = crc32 !== undefined',
    breaks: 'a manifest with a wrong bit is believed',
  },
  {
    id: 'owner-not-checked',
    file: 'src/checkpoint/generation-directory.ts',
    search: '      if ((await this.#isMine()) || (await this.#isMine())) return\n',
    replacement: '      if (this.#fenced === undefined) return\n',
    breaks: 'a fenced process publishes into a directory that has the name of its own',
  },
]

/** The two-phase commit between checkpoints and sinks. */
const commitBugs: readonly PlantedBug[] = [
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
    id: 'orphans-of-own-generation',
    file: sinkCommitter,
    search: '        if (generation < this.#generation) await',
    replacement: '        if (generation <= this.#generation) await',
    breaks: 'staged files of the running generation would be removed',
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
    search: '    const held = this.#pending.filter((receipt) => receipt.checkpointId <= id)\n',
    replacement:
      '    this.#pending = this.#pending.filter((receipt) => receipt.checkpointId >= id)\n    const held = this.#pending\n',
    breaks: 'receipts of a checkpoint whose commit was not confirmed are dropped',
  },
  {
    id: 'aborted-receipts-dropped',
    file: attempt,
    search: '  aborted(id: CheckpointId): void {\n',
    replacement:
      '  aborted(id: CheckpointId): void {\n    for (const committer of this.#started?.committers.values() ?? []) committer.drop(id)\n',
    breaks: 'output staged for a checkpoint that was given up is lost',
  },
  {
    id: 'flush-not-awaited',
    file: 'src/runtime/sink-operator.ts',
    search: '      await writer.flush(endOfInput)\n',
    replacement: '      void Promise.resolve(writer.flush(endOfInput)).catch(() => {})\n',
    breaks: 'a barrier passes a sink that still holds records',
  },
  {
    id: 'barrier-before-staged',
    file: 'src/runtime/subtask.ts',
    search: "    await chain.prepareBarrier(id, this.#ended)\n    status.waitingFor = undefined\n    chain.broadcast({ kind: 'barrier', id })\n    const snapshots = chain.snapshot(id)\n",
    replacement:
      "    chain.broadcast({ kind: 'barrier', id })\n    const snapshots = chain.snapshot(id)\n    await chain.prepareBarrier(id, this.#ended)\n    status.waitingFor = undefined\n",
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

/** The file sink. */
const sinkBugs: readonly PlantedBug[] = [
  {
    id: 'staged-not-synced',
    file: part,
    search: '      await claimed.file.sync()\n    } catch',
    replacement: '      void claimed.file.size\n    } catch',
    breaks: 'a power loss takes output that a checkpoint names',
  },
  {
    id: 'staged-names-not-synced',
    file: 'src/connectors/files/file-sink-writer.ts',
    search: '    await this.#tools.directories.sync()\n',
    replacement: '',
    breaks: 'a power loss takes the name of output that a checkpoint names',
  },
  {
    id: 'commit-not-synced',
    file: sinkCommitter,
    search: '      await this.#fs.syncDirectory(directory)\n',
    replacement: '',
    breaks: 'a confirmed commit is taken back by a power loss',
  },
  {
    id: 'commit-replaces',
    file: sinkCommitter,
    search: "      if (errnoOf(error) === 'ENOENT') return await this.#checkCommitted(receipt)\n",
    replacement: '',
    breaks: 'a commit that somebody else has finished kills the job',
  },
  {
    id: 'committed-means-lost',
    file: sinkCommitter,
    search: '    if (found === undefined) return await this.#checkCommitted(receipt)\n',
    replacement: '    if (found === undefined) throw lost(receipt, final)\n',
    breaks: 'a commit that was done before the crash is taken for a loss',
  },
  {
    id: 'torn-append-stays',
    file: part,
    search: '      if (file.size !== this.#written) await file.truncate(this.#written)\n',
    replacement: '',
    breaks: 'what a full disk took in part stays in front of its repetition',
    scenarios: ['disk-full', 'sharded'],
  },
  {
    id: 'full-disk-drops',
    file: 'src/connectors/files/file-sink-room.ts',
    search: '          if (!isFull(error)) throw storageError(error, path)\n',
    replacement:
      "          if (!isFull(error)) throw storageError(error, path)\n          if (failures > 2) return undefined as R\n",
    breaks: 'what a full disk does not take is dropped',
    scenarios: ['disk-full', 'sharded'],
  },
]

/** Barriers, keyed state, splits, steps. */
const stateBugs: readonly PlantedBug[] = [
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
    search: '        const target = subtaskOfKeyGroup(keyGroupOf(hash, maxParallelism), maxParallelism, channels.length)\n',
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
      "    if (splits.length > 0) this.#assign(subtask, splits)\n    if (splits.length > 0) input.tell({ kind: 'add-splits', splits: splits.map((split) => ({ ...split, splitId: `${split.splitId}'` })) })\n",
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
    file: 'src/runtime/transforms.ts',
    search: 'DEADLETTER',
    replacement: 'DEADLETTER',
    breaks: 'a record that the schema refuses is dropped',
    scenarios: ['steps'],
  },
  {
    id: 'async-not-awaited',
    file: 'src/runtime/async-transforms.ts',
    search: 'MAPASYNC',
    replacement: 'MAPASYNC',
    breaks: 'a barrier overtakes records that wait for a promise',
    scenarios: ['steps'],
  },
]

export const plantedBugs: readonly PlantedBug[] = [...checkpointBugs, ...commitBugs, ...sinkBugs, ...stateBugs]
