import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep } from '../child.ts'
import { ServiceClient } from '../log-service/service-client.ts'
import { checkLeftovers, fingerprintOf, type Problems } from '../output-check.ts'
import { Draws } from '../random.ts'
import { CopiesJudge } from './copies.ts'
import { unfinished } from './group-progress.ts'
import { JobKeeper } from './job-keeper.ts'
import { livesByGeneration } from './lives.ts'
import { checkArchive, checkCounts } from './outputs.ts'
import { textOf } from './records.ts'
import { Resharding } from './resharding.ts'
import { ServiceKeeper, type Tally } from './service-keeper.ts'
import { project, sourceLogstore, targetLogstore } from './sls-job.ts'
import { readEach, readStored, type StoredLogs } from './stored.ts'
import { Writing } from './writing.ts'

const shards = 8
const retained = 3
/** Time that passes from one kill to the next, about, before there is any to go by. */
const killEveryMs = 2_500
/** The job must have everything so long after the last kill. */
const drainMs = 120_000

export interface RunOptions {
  readonly directory: string
  readonly port: number
  readonly records: number
  readonly kills: number
  readonly reshards: number
  readonly seed: number
  readonly problems: Problems
  readonly log: (text: string) => void
}

/** What a run was, in figures. */
export type RunFigures = Readonly<Record<string, number | Readonly<Record<string, number>>>>

/** One job from its first start to its last, with its log service, killed in every way on the way. */
export const runCrashes = async (options: RunOptions): Promise<RunFigures> => {
  const { directory, port, records, kills, reshards, seed, problems, log } = options
  await mkdir(directory, { recursive: true })
  const drawsOf = (number: number): Draws => new Draws(seed * 16 + number)
  const problem = problems.add
  const goesOn = (): boolean => problems.count === 0
  const client = new ServiceClient(project)
  client.port = port
  const tally: Tally = new Map()
  const common = { client, tally, problem, goesOn, pointMs: 2_500 } as const
  const jobKills = Math.ceil(kills * 0.6)
  const service = new ServiceKeeper({
    ...common,
    data: join(directory, 'data'),
    port,
    draws: drawsOf(1),
    kills: kills - jobKills,
    lifeMeanMs: 4_000,
  })
  const endpoint = `http://127.0.0.1:${port}`
  const jobs = new JobKeeper({
    ...common,
    log,
    directory,
    endpoint,
    service,
    draws: drawsOf(2),
    kills: jobKills,
    share: () => (writing.stored < records ? records / (3 * jobKills) : 0),
    lifeMeanMs: 1_000,
  })
  await service.begin()
  if (!goesOn()) return {}
  await client.json('POST', '/logstores', { logstoreName: sourceLogstore, ttl: 30, shardCount: shards })
  await client.json('POST', '/logstores', { logstoreName: targetLogstore, ttl: 30, shardCount: 4 })

  const startedMs = performance.now()
  const restMs = (): number => {
    const done = jobs.deaths + service.deaths
    if (done >= kills) return 0
    const everyMs = done < 3 ? killEveryMs : (performance.now() - startedMs) / done
    return 0.8 * everyMs * (kills - done)
  }
  const writing = new Writing({ client, logstore: sourceLogstore, records, draws: drawsOf(3), problem, restMs })
  const progress = (): number => writing.stored / records
  const draws = drawsOf(4)
  const resharding = new Resharding({ client, logstore: sourceLogstore, count: reshards, draws, problem, progress })
  writing.begin()
  resharding.begin()
  await Promise.all([service.run(), jobs.run()])
  log(`${jobs.deaths} kills of the job and ${service.deaths} of the service; ${writing.stored} records written`)
  if (goesOn()) {
    await jobs.runUntil(async (process) => {
      await Promise.all([writing.done(), resharding.done()])
      const untilMs = performance.now() + drainMs
      let behind = await unfinished(client)
      while (behind !== '' && process.isRunning && performance.now() < untilMs && goesOn()) {
        await sleep(200)
        behind = await unfinished(client)
      }
      if (behind !== '') problem(`the consumer group does not have everything at the end: ${behind}`)
    })
  }
  if (goesOn()) await startOnceMore(jobs, problem)
  writing.abort()
  resharding.abort()
  await Promise.all([writing.done(), resharding.done()])
  log(`the job has stopped${goesOn() ? '; now everything is compared' : ''}`)
  const found = goesOn() ? await compare({ client, jobs, records, problems }) : {}
  if (service.isServing) await service.end()
  client.close()
  const { splits, merges } = resharding
  return {
    ...found,
    kills: jobs.deaths + service.deaths,
    jobKills: jobs.deaths,
    serviceKills: service.deaths,
    points: jobs.points + service.points,
    stops: jobs.stops,
    brokenStops: jobs.brokenStops,
    processes: jobs.lives.length,
    restarts: jobs.restarts,
    reshards: splits + merges,
    splits,
    merges,
    repeatedPuts: writing.repeats,
    slowestStartMs: Math.round(jobs.slowestStartMs),
    slowestRecoveryMs: Math.round(jobs.slowestRecoveryMs),
    ways: Object.fromEntries([...tally].sort((a, b) => b[1] - a[1])),
  }
}

/** A job that has read everything finds nothing to do when it is started again, whatever its parallelism. */
const startOnceMore = async (jobs: JobKeeper, problem: (text: string) => void): Promise<void> => {
  const before = await fingerprintOf(jobs)
  await jobs.runUntil(async (process) => {
    const untilMs = performance.now() + drainMs
    while (process.all('checkpoint').length < 2 && process.isRunning && performance.now() < untilMs) await sleep(50)
  })
  if ((await fingerprintOf(jobs)) !== before) problem('a job that had read everything wrote output when started again')
}

interface ComparisonParts {
  readonly client: ServiceClient
  readonly jobs: JobKeeper
  readonly records: number
  readonly problems: Problems
}

/** Everything that is left, against what the source itself holds. */
const compare = async ({ client, jobs, records, problems }: ComparisonParts): Promise<RunFigures> => {
  const problem = problems.add
  const behind = await unfinished(client)
  if (behind !== '') problem(`after the job has stopped, the consumer group does not have everything: ${behind}`)
  const { archive, counts, checkpoints, lives } = jobs
  await checkLeftovers({ archive, counts, checkpoints }, retained, problems)
  const stored = await readStored(client, sourceLogstore, (id, log) => {
    if (!(id >= 0 && id < records) || log.get('text') !== textOf(id))
      problem(`the source has record ${id}, which nobody wrote`)
  })
  checkWritten(stored, records, problem)
  const archived = await checkArchive(archive, stored, problem)
  const counted = await checkCounts(counts, stored, problem)
  const lifeOf = livesByGeneration(lives)
  const lastKilled = lives.length - 3
  const early = archived.generations.filter((generation) => (lifeOf.get(generation) ?? 0) <= lastKilled).length
  const judge = new CopiesJudge(stored, lives, problem)
  await readEach(client, targetLogstore, (log, packTag) => {
    const number = (name: string): number => Number(log.get(name) ?? -1)
    judge.add({
      id: number('id'),
      shard: number('shard'),
      cursor: log.get('cursor') ?? '',
      index: number('index'),
      life: number('life'),
      text: log.get('text') ?? '',
      packTag,
    })
  })
  const copies = judge.judge(archived.generations)
  return {
    stored: stored.count,
    shards: stored.shards.size,
    archived: archived.lines,
    counted: counted.lines,
    lost: archived.lost + counted.lost + copies.lost,
    duplicate: archived.duplicate + counted.duplicate,
    /** Of the archived ones, those that were there before the last kill. */
    early,
    sent: copies.logs,
    rewritten: copies.afterRestores + copies.afterAmbiguity,
    afterRestores: copies.afterRestores,
    afterAmbiguity: copies.afterAmbiguity,
    bound: copies.bound,
    ambiguous: lives.reduce((sum, { ambiguousAtLeast }) => sum + ambiguousAtLeast, 0),
  }
}

const checkWritten = (stored: StoredLogs, records: number, problem: (text: string) => void): void => {
  const seen = new Uint8Array(records)
  for (const id of stored.ids()) seen[id] = 1
  const missing = seen.indexOf(0)
  if (missing >= 0) problem(`record ${missing} was written and is not in the source`)
}
