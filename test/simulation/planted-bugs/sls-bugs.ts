import type { PlantedBug } from './planted-bug.ts'

const source = 'src/connectors/sls/source'
const producer = 'src/connectors/sls/producer'
const book = `${source}/shard-book.ts`
const enumerator = `${source}/shard-enumerator.ts`
const enumeratorState = `${source}/enumerator-state.ts`
const reader = `${source}/shard-split-reader.ts`
const fetched = `${source}/fetched-groups.ts`
const mirror = `${source}/progress-mirror.ts`
const putResult = `${producer}/put-result.ts`
const batcher = 'src/sink/batching/batcher.ts'
const service = 'src/logservice'

/** The SLS connector, and the service it talks to. */
export const slsBugs: readonly PlantedBug[] = (
  [
    {
      id: 'sls-child-before-parent',
      file: book,
      search: "      return parent === undefined || parent.state === 'finished'\n",
      replacement: "      return parent === undefined || parent.state !== 'waiting'\n",
      breaks: 'a shard is read while the shard it was split from is',
    },
    {
      id: 'sls-one-parent-of-two',
      file: `${source}/lineage.ts`,
      search: '        [...found].sort((a, b) => a - b),\n',
      replacement: '        [...found].sort((a, b) => a - b).slice(0, 1),\n',
      breaks: 'a merged shard waits for one of its parents only',
    },
    {
      id: 'sls-new-shards-unrelated',
      file: book,
      search: '    if (found.length > 0 || dropped > 0) this.#relate(listing)\n',
      replacement: '    if (dropped > 0) this.#relate(listing)\n',
      breaks: 'shards that are found later have no parents',
    },
    {
      id: 'sls-finished-read-again',
      file: book,
      search: '      if (known === undefined) found.push(shard)\n',
      replacement: "      if (known === undefined || known.state === 'finished') found.push(shard)\n",
      breaks: 'a shard that was read to its end is found again and read again',
    },
    {
      id: 'sls-latest-for-children',
      file: enumerator,
      search: "      const cursor = await calls.cursor(id, 'begin', turn)\n",
      replacement: "      const cursor = await calls.cursor(id, 'end', turn)\n",
      breaks: 'what was written to a new shard before it was found is lost',
    },
    {
      id: 'sls-assigned-sent-again',
      file: enumeratorState,
      search: "    ? { ...place, state: readOneOf(fields, 'state', ['assigned', 'finished']) }\n",
      replacement:
        "    ? state === 'assigned'\n      ? { ...place, state: 'waiting', split: readShardSplit({ splitId: 'proj/access/' + id + '@' + createTime, logstore: 'proj/access', shard: id, createTime, cursor: 'begin', skip: 0, stop: null, queryHash: null, state: 'reading' }) }\n      : { ...place, state: 'finished' }\n",
      breaks: 'after a restore the enumerator hands out shards that readers have',
    },
    {
      id: 'sls-owners-forgotten',
      file: enumerator,
      search: '    for (const [splitId, subtask] of restored.owners) this.#tracker.restore(splitId, subtask)\n',
      replacement: '',
      breaks: 'after a restore nobody tells a reader that its shard is closed',
    },
    {
      id: 'sls-closed-not-told',
      file: enumerator,
      search: '        if (book?.get(splitId)?.readOnly) this.#tellOwner(splitId)\n',
      replacement: '',
      breaks: 'a shard that was closed before it was handed out never ends',
    },
    {
      id: 'sls-closed-not-told-again',
      file: enumerator,
      search:
        '      for (const splitId of book.splitIds()) if (book.get(splitId)?.readOnly) this.#tellOwner(splitId)\n',
      replacement: '',
      breaks: 'a shard that was closed before a restore never ends',
    },
    {
      id: 'sls-finished-dropped-at-rescale',
      file: enumerator,
      search: '[subtask, [...hand, ...(finished.get(subtask) ?? [])]]',
      replacement: '[subtask, [...hand, ...(finished.get(-1) ?? [])]]',
      breaks: 'a shard whose end only a reader knows is lost when the parallelism changes',
    },
    {
      id: 'sls-one-listing-fails',
      file: enumerator,
      search: '      this.#lookAgainIn(backoffMs(failureBackoff, this.#failures, random.float()))\n',
      replacement: '',
      breaks: 'after a listing that failed nobody looks for shards any more',
    },
    {
      id: 'sls-end-before-closed',
      file: reader,
      search: "    if (notes.closed) notes.end ??= await calls.cursor(shard, 'end', signal)\n",
      replacement: "    notes.end ??= await calls.cursor(shard, 'end', signal)\n",
      breaks: 'a shard ends where it was when it was first looked at',
    },
    {
      id: 'sls-position-at-pull',
      file: fetched,
      search: 'if (count >= this.records.length) return this',
      replacement: 'if (count >= Math.min(1, this.records.length)) return this',
      breaks: 'what was pulled and not given out yet is lost at a restore',
    },
    {
      id: 'sls-cursor-too-far',
      file: fetched,
      search: '      cursor: cursor + BigInt(group),\n',
      replacement: '      cursor: cursor + BigInt(group + 1),\n',
      breaks: 'a LogGroup is passed over at a restore',
    },
    {
      id: 'sls-cursor-too-near',
      file: fetched,
      search: '      cursor: cursor + BigInt(group),\n',
      replacement: '      cursor: cursor + BigInt(Math.max(0, group - 1)),\n',
      breaks: 'a LogGroup is read twice at a restore',
    },
    {
      id: 'sls-skip-forgotten',
      file: fetched,
      search: '      skip: given + (groups[group]?.skipped ?? 0),\n',
      replacement: '      skip: given,\n',
      breaks: 'the second barrier within a LogGroup forgets what was given out before the first',
    },
    {
      id: 'sls-skip-not-applied',
      file: reader,
      search: "records === 'groups' ? Math.min(left, 1) : Math.min(left, view.logCount)",
      replacement: "records === 'groups' ? Math.min(left, 1) : Math.min(left, 0 * view.logCount)",
      breaks: 'logs of a LogGroup that were given out before a restore are given out again',
    },
    {
      id: 'sls-cursor-name',
      file: reader,
      search: 'cursorOf(split) + (exact ? BigInt(index) : 0n)',
      replacement: 'cursorOf(split) + 0n',
      breaks: 'every log of a pull says that it lies where the first one does',
    },
    {
      id: 'sls-package-remembered-early',
      file: fetched,
      search: 'groups.slice(0, group), packagesMax)',
      replacement: 'groups.slice(0, group + 1), packagesMax)',
      breaks: 'the rest of a LogGroup is taken for a copy of itself after a restore',
    },
    {
      id: 'sls-packages-not-stored',
      file: `${source}/shard-split.ts`,
      search: '  ...(split.packages.length === 0 ? {} : { packages: split.packages }),\n',
      replacement: '',
      breaks: 'a copy is not known for one when the first came before a restore',
    },
    {
      id: 'sls-budget-kept-by-failures',
      file: 'src/source/fetching-source-reader.ts',
      search: '      lease?.release()\n      if (!signal.aborted)',
      replacement: '      if (!signal.aborted)',
      breaks: 'every failed pull takes memory for ever',
    },
    {
      id: 'sls-mirror-at-snapshot',
      file: mirror,
      search: '    this.#pending.set(checkpointId, marks)\n',
      replacement: '    this.#pending.set(checkpointId, marks)\n    this.complete(checkpointId)\n',
      breaks: 'the consumer group is told of a checkpoint that is not there yet',
    },
    {
      id: 'sls-mirror-ahead',
      file: mirror,
      search: 'commit(group, consumer, shard, cursor, signal)',
      replacement: 'commit(group, consumer, shard, cursor + 1n, signal)',
      breaks: 'the consumer group is told of one LogGroup too many',
    },
    {
      id: 'sls-mirror-tells-once',
      file: mirror,
      search: '      const error = asError(thrown)\n      if (signal.aborted) return false\n',
      replacement:
        '      const error = asError(thrown)\n      this.#owed.delete(splitId)\n      this.#told.set(splitId, cursor)\n      if (signal.aborted) return false\n',
      breaks: 'progress that could not be told is not told again',
    },
    {
      id: 'sls-mirror-without-finished',
      file: mirror,
      search: '    const marks = all.flatMap(({ splitId, logstore, shard, cursor }) =>\n      cursor ===',
      replacement:
        "    const marks = all.flatMap(({ splitId, logstore, shard, cursor, state }) =>\n      state === 'finished' || cursor ===",
      breaks: 'the consumer group never hears of the end of a shard',
    },
    {
      id: 'sls-lost-answer-is-success',
      file: putResult,
      search: "  if (cause.ambiguous) return { kind: 'again', why: 'ambiguous', cause: unavailable(cause), afterMs }\n",
      replacement: "  if (cause.ambiguous) return { kind: 'accepted' }\n",
      breaks: 'a put of which nobody knows how it ended is taken for stored',
    },
    {
      id: 'sls-failed-put-swallowed',
      file: putResult,
      search:
        "return { kind: 'again', why: cause.notSent ? 'unavailable' : 'ambiguous', cause: unavailable(cause), afterMs }",
      replacement: "return { kind: 'accepted' }",
      breaks: 'a put that was never sent is taken for stored',
    },
    {
      id: 'sls-throttled-put-dropped',
      file: putResult,
      search: "      return { kind: 'again', why: 'throttled', cause: unavailable(cause), afterMs }\n",
      replacement: "      return { kind: 'accepted' }\n",
      breaks: 'a put that a quota refused is taken for stored',
    },
    {
      id: 'sls-pack-tag-of-the-try',
      file: `${producer}/log-puts.ts`,
      search: 'packTag(packPrefix, pack.sequence)\n',
      replacement:
        'packTag(packPrefix, pack.sequence * 1000 + ((globalThis as never)["tries"] = ((globalThis as never)["tries"] ?? 0) + 1))\n',
      breaks: 'a package that is sent again cannot be known for the same one',
    },
    {
      id: 'sls-barrier-without-flush',
      file: `${producer}/sls-sink-writer.ts`,
      search: "    this.#o.writer.waiting('its packages to be stored')\n",
      replacement:
        "    if (this.#batches.pending >= 0) return\n    this.#o.writer.waiting('its packages to be stored')\n",
      breaks: 'a checkpoint completes over packages that are not stored',
    },
    {
      id: 'sls-gives-up-in-silence',
      file: 'src/sink/batching/delivery.ts',
      search: '      parts.again(pack, result, waitMs)\n',
      replacement:
        "      if (attempts > 2) {\n        parts.settled(pack, { kind: 'accepted', attempts })\n        return\n      }\n      parts.again(pack, result, waitMs)\n",
      breaks: 'a package that failed three times is forgotten',
    },
    {
      id: 'sls-budget-of-packages-leaks',
      file: batcher,
      search: '      memory.give(slab.length)\n',
      replacement: '',
      breaks: 'every package takes memory for ever',
    },
    {
      id: 'sls-acknowledged-early',
      file: `${service}/put-handler.ts`,
      search: '        await core.storage.commit(groups',
      replacement: '        void core.storage.commit(groups',
      breaks: 'the service confirms what is not on its disk',
    },
    {
      id: 'sls-closed-shard-takes-puts',
      file: `${service}/put-handler.ts`,
      search: '    const free = fitting.filter((shard) => !this.#core.isClosing(shard))\n',
      replacement: '    const free = fitting.filter((shard) => shard.id >= 0)\n',
      breaks: 'a shard that is being split grows behind its end',
    },
  ] satisfies readonly Omit<PlantedBug, 'scenarios'>[]
).map((bug) => ({ ...bug, scenarios: ['sls'] }))
