import { nginxGroups } from '../codec/nginx-groups.ts'
import { inChild } from '../harness/child.ts'
import type { Pair } from '../harness/statistics.ts'
import { BenchServer, type ServerReport } from './bench-server.ts'
import { objectsJob, passJob } from './jobs.ts'
import {
  appendLoop,
  clientOf,
  type Loop,
  objectsLoop,
  type PlainLog,
  passGroups,
  produceLoop,
  producerLoop,
  pullLoop,
} from './loops.ts'
import { type Pass, type RoundsInput, rates } from './rounds.ts'
import { dispatchRecords, type PlainRecord, pullRecords, putRecords, withTwoFields } from './straightforward.ts'

/** What is measured beside what. */
export const variantNames = [
  'pass',
  'append',
  'objects',
  'pull',
  'produce',
  'producer',
  'objectsJob',
  'passJob',
] as const
export type Variant = (typeof variantNames)[number]

interface Input extends RoundsInput {
  readonly variant: Variant
}

/** Pulls of a job. */
const jobPulls = 48

interface Sides {
  readonly own: Pass
  readonly other: Pass
}

const producedLogs = (): { logs: readonly PlainLog[]; records: readonly PlainRecord[]; bytes: number } => {
  const { groups, encoded } = nginxGroups(1_000_000)
  const logs = groups.flatMap((group) =>
    group.logs.map(({ time, contents }) => ({ time, contents: { ...(contents as Record<string, string>) } })),
  )
  const records = logs.map(({ time, contents }) => ({
    topic: 'topic-0',
    time,
    timeNs: undefined,
    fields: { ...contents },
  }))
  return { logs, records, bytes: encoded.reduce((sum, { length }) => sum + length, 0) - logs.length * 5 }
}

const sidesOf = (variant: Variant, server: BenchServer): Sides => {
  const { port, largeBytes: pullBytes } = server.facts
  const client = clientOf(port)
  const origin = `http://127.0.0.1:${port}`
  const pulled = (run: Loop): Pass => ({ run, bytes: pullBytes, atOnce: 2, prepare: () => server.plan({}) })
  const asJob = (run: Loop): Pass => ({
    run,
    bytes: pullBytes * jobPulls,
    atOnce: 1,
    // One shard, read one pull ahead: as many pulls at a time as the loops have.
    prepare: () => server.plan({ pulls: jobPulls }),
  })
  switch (variant) {
    case 'pass':
      return { own: pulled(() => passGroups(client)), other: pulled(() => dispatchRecords(origin)) }
    case 'append':
      return { own: pulled(appendLoop(client)), other: pulled(() => dispatchRecords(origin, withTwoFields)) }
    case 'objects':
      return { own: pulled(objectsLoop(client)), other: pulled(() => dispatchRecords(origin, withTwoFields)) }
    case 'pull':
      return { own: pulled(pullLoop(client)), other: pulled(async () => void (await pullRecords(origin))) }
    case 'produce':
    case 'producer': {
      const { logs, records, bytes } = producedLogs()
      const own = variant === 'produce' ? produceLoop(client, logs) : producerLoop(port, logs)
      const other = (): Promise<void> => putRecords(origin, 'target', 'topic-0', records)
      return { own: { ...pulled(own), bytes }, other: { ...pulled(other), bytes } }
    }
    case 'passJob':
      return { own: asJob(passJob(port)), other: pulled(() => passGroups(client)) }
    case 'objectsJob':
      return { own: asJob(objectsJob(port)), other: pulled(objectsLoop(client)) }
  }
}

/** Nothing was lost on the way: as many bytes arrive for each pass as it pulled, about. */
const check = ({ puts, rawBytes, records }: ServerReport, variant: Variant, bytes: number): void => {
  if (variant === 'pull') return
  if (puts === 0 || records === 0 || rawBytes < bytes * 0.97) {
    throw new Error(`${variant}: ${bytes} bytes were read, and ${rawBytes} arrived in ${puts} puts`)
  }
}

export const measure = async ({ variant, ...rounds }: Input): Promise<Pair> => {
  const server = await BenchServer.start()
  try {
    const { own, other } = sidesOf(variant, server)
    for (const pass of [own, other]) {
      await pass.prepare?.()
      await pass.run()
      check(await server.report(), variant, pass.bytes)
    }
    const [value = 0, baseline = 0] = await rates([own, other], rounds)
    return { value, baseline }
  } finally {
    await server.stop()
  }
}

/** In a process of its own. */
export const measureVariant = (variant: Variant, rounds: RoundsInput): Promise<Pair> =>
  inChild<Input, Pair>(import.meta.url, { variant, ...rounds })
