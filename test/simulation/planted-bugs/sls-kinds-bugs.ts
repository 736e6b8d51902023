import type { PlantedBug } from './planted-bug.ts'

const source = 'src/connectors/sls/source'
const producer = 'src/connectors/sls/producer'
const reader = `${source}/shard-split-reader.ts`
const fetched = `${source}/fetched-groups.ts`
const dispatch = `${producer}/dispatch-writer.ts`

/** What shows only under a server-side query, in a dispatch, or with LogGroups that cannot be read. */
export const slsKindsBugs: readonly PlantedBug[] = (
  [
    {
      id: 'sls-query-skip-stays',
      file: reader,
      search: 'split.queryHash === null ? 0 : Math.max(0, split.skip - skipped)',
      replacement: 'split.queryHash === null ? 0 : split.skip',
      breaks: 'under a query every pull after a restore leaves out as many records as the first one',
    },
    {
      id: 'sls-query-skip-from-zero',
      file: fetched,
      search: 'const skip = split.skip + count',
      replacement: 'const skip = count',
      breaks: 'the second barrier within a pull under a query forgets what was given out before the first',
    },
    {
      id: 'sls-query-position-by-group',
      file: fetched,
      search: 'if (split.queryHash !== null) {',
      replacement: 'if (split.queryHash !== null && count < 0) {',
      breaks: 'under a query the groups that are left are taken for all there were',
    },
    {
      id: 'sls-query-expired-in-part',
      file: `${source}/shard-loss.ts`,
      search: 'pullEnd !== undefined && pullEnd > begin ? pullEnd : begin',
      replacement: 'pullEnd !== undefined && pullEnd > begin ? begin : begin',
      breaks: 'what is left of a pull that expired in part is given out again',
    },
    {
      id: 'sls-query-hash-ignored',
      file: `${source}/sls-source.ts`,
      search: '  if (restored.queryHash !== queryHash) throw otherQuery(step)\n',
      replacement: '',
      breaks: 'a job goes on under another query',
    },
    {
      id: 'sls-query-copies-skipped',
      file: reader,
      search: 'left = exact ? 0 : left - group.skipped\n',
      replacement: 'left = left - skip\n',
      breaks: 'under a query the records of a copy that is dropped count as given out',
    },
    {
      id: 'sls-query-empty-page-stays',
      file: `${source}/client-services.ts`,
      search: '    next: result.nextPosition,\n',
      replacement: '    next: result.groups.length === 0 ? cursor : result.nextPosition,\n',
      breaks: 'a pull of which the query left nothing is made again for ever',
    },
    {
      id: 'sls-filter-keeps-whole-groups',
      file: 'src/logservice/filter-groups.ts',
      search: 'else if (count > 0) kept.push(withoutLogs(group, matching))',
      replacement: 'else if (count > 0) kept.push(group)',
      breaks: 'the service gives all logs of a group when one of them matches',
    },
    {
      id: 'sls-letter-without-position',
      file: fetched,
      search: '      if (this.#options.groups[at]?.letter !== undefined) group = at\n',
      replacement: '',
      breaks: 'the position moves past a dead letter that goes out later',
    },
    {
      id: 'sls-letters-without-records',
      file: fetched,
      search: 'this.deadLetters = lettersOf(groups, this.#ends)',
      replacement: 'this.deadLetters = count === 0 ? undefined : lettersOf(groups, this.#ends)',
      breaks: 'a pull of nothing but unreadable groups gives no dead letters',
    },
    {
      id: 'sls-unreadable-passes-two',
      file: reader,
      search: '      next: cursor + 1n,\n',
      replacement: '      next: cursor + 2n,\n',
      breaks: 'with a group that makes answers unreadable the one behind it is passed over',
    },
    {
      id: 'sls-dispatch-flushes-one',
      file: dispatch,
      search: 'await Promise.all([...this.#writers.values()].map((target) => target.writer.flush()))',
      replacement: 'await Promise.race([...this.#writers.values()].map((target) => target.writer.flush()))',
      breaks: 'a checkpoint completes over a LogGroup that is on its way to another target',
    },
    {
      id: 'sls-dispatch-full-loses-one',
      file: dispatch,
      search: 'where, next: index + 1 }',
      replacement: 'where, next: index + 2 }',
      breaks: 'a LogGroup is lost when the buffer of a target is full',
    },
    {
      id: 'sls-dispatch-full-not-awaited',
      file: dispatch,
      search: '      if (rooms.length === 0) continue\n',
      replacement: '      if (rooms.length >= 0) continue\n',
      breaks: 'what waits for room in a buffer is in no flush',
    },
    {
      id: 'sls-dispatch-first-target-only',
      file: dispatch,
      search: 'this.#targetsOf(group).flatMap(',
      replacement: 'this.#targetsOf(group).slice(0, 1).flatMap(',
      breaks: 'of several targets only the first one gets a LogGroup',
    },
    {
      id: 'sls-dispatch-unmatched-lost',
      file: dispatch,
      search: "    if (typeof unmatched === 'object') return [unmatched.to]\n",
      replacement: '',
      breaks: 'a LogGroup without a route does not get to the target for those',
    },
    {
      id: 'sls-dispatch-unmatched-twice',
      file: dispatch,
      search: '    counter.unmatched++\n',
      replacement: "    counter.unmatched += unmatched === 'drop' ? 2 : 1\n",
      breaks: 'a LogGroup that is dropped is counted twice',
    },
    {
      id: 'sls-dispatch-waits-for-each',
      file: dispatch,
      search: 'known.writer.add(known.target.destination, group.serialized)\n',
      replacement: 'known.writer.add(known.target.destination, group.serialized) ?? known.writer.flush()\n',
      breaks: 'a target that does not answer stops all others at once',
    },
    {
      id: 'sls-dispatch-batch-short',
      file: dispatch,
      search: 'Array.from({ length: pack.records }, ',
      replacement: 'Array.from({ length: Math.min(3, pack.records) }, ',
      breaks: 'the fourth LogGroup of a request is left out',
    },
    {
      id: 'sls-dispatch-memory-of-all-leaks',
      file: 'src/sink/batching/memory-budget.ts',
      search: '    this.#parent?.give(bytes)\n',
      replacement: '',
      breaks: 'what a target gives back does not come back to the memory of all',
    },
    {
      id: 'sls-slab-used-again-early',
      file: 'src/sink/batching/batcher.ts',
      search: '    const controller = new AbortController()\n',
      replacement: '    memory.slabs.give(slab)\n    const controller = new AbortController()\n',
      breaks: 'what is on its way is overwritten by the next package',
    },
  ] satisfies readonly Omit<PlantedBug, 'scenarios'>[]
).map((bug) => ({ ...bug, scenarios: ['sls'] }))
