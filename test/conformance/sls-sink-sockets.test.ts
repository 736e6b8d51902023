import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filter, firstValueFrom } from 'rxjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generatorSource } from '../../src/connectors/memory/index.ts'
import { type Job, type JobHandle, job, run } from '../../src/entry/index.ts'
import { type LogServer, logService } from '../../src/entry/logservice.ts'
import { slsClient, slsSink } from '../../src/entry/sls.ts'
import { rateLimited } from '../../src/source/index.ts'

/** The cases of `atLeastOnceSinkConformance` again, in real time, over sockets. Other faults are for the simulator. */
const directory = mkdtempSync(join(tmpdir(), 'millrace-conformance-'))
const credentials = { accessKeyId: 'key', accessKeySecret: 'secret' }
let server: LogServer
let connection: { endpoint: string; project: string; credentials: typeof credentials }
let open: ReturnType<typeof slsClient>

beforeAll(async () => {
  server = await logService({ directory: join(directory, 'data'), auth: { key: 'secret' }, projects: ['web'] })
  connection = { endpoint: server.url.replace('127.0.0.1', 'localhost'), project: 'web', credentials }
  open = slsClient(connection)
})
afterAll(async () => {
  await open.close()
  await server.close()
  rmSync(directory, { recursive: true })
})

interface JobOptions {
  readonly logstore: string
  readonly parallelism: number
  readonly count: number
  readonly perSecond?: number
  readonly linger?: number
}

const jobOf = ({ logstore, parallelism, count, perSecond = 4000, linger = 20 }: JobOptions): Job =>
  job(
    logstore,
    {
      guarantee: 'at-least-once',
      checkpoint: { dir: join(directory, logstore), every: 50 },
      parallelism,
      restart: 'none',
    },
    (flow) => {
      const numbers = generatorSource({ generate: String, splits: 4, ...(count === 0 ? {} : { count }) })
      const log = (n: string) => ({ contents: { n } })
      flow
        .from('numbers', rateLimited(numbers, perSecond))
        .to('logs', slsSink<string>({ ...connection, logstore, log, package: { linger, records: 50 } }))
    },
  )

const checkpoints = (running: JobHandle, count: number) => {
  let left = count
  return firstValueFrom(running.events$.pipe(filter(({ kind }) => kind === 'checkpoint-completed' && --left <= 0)))
}

const create = (logstore: string) => open.client.logstores.create(logstore, { shardCount: 2 })

const stored = async (logstore: string): Promise<number[]> => {
  const numbers: number[] = []
  for (const { id: shard } of await open.client.shards.list(logstore)) {
    let position = await open.client.shards.cursor(logstore, shard, 'begin')
    const end = await open.client.shards.cursor(logstore, shard, 'end')
    while (position < end) {
      const { groups, nextPosition } = await open.client.pull({ logstore, shard, position })
      for (const group of groups) for (const log of group.logs()) numbers.push(Number(log.get('n')))
      position = nextPosition
    }
  }
  return numbers.sort((a, b) => a - b)
}
const all = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

describe('slsSink over real sockets', () => {
  test('conf-K1 writes a bounded input completely, conf-K5 counts the records handed to the writer', async () => {
    await create('k-one')
    const running = run(jobOf({ logstore: 'k-one', parallelism: 2, count: 1000, perSecond: 100_000 }))
    await running.done
    expect(await stored('k-one')).toEqual(all(1000))
    expect(running.metrics().sum('millrace_records_send_total', 'logs')).toBe(1000)
  })

  test.each([
    ['conf-K2 goes on from a stop', 2, 2],
    ['conf-K3 goes on at a higher parallelism', 2, 4],
    ['conf-K4 goes on at a lower parallelism', 4, 2],
  ])('%s', async (name, from, to) => {
    const logstore = name.slice(5, 7).toLowerCase()
    await create(logstore)
    // So many that it cannot come to its end before it is stopped, however slow the machine is.
    const first = run(jobOf({ logstore, parallelism: from, count: 20_000, perSecond: 1000 }))
    await checkpoints(first, 1)
    expect(await first.stop()).toMatchObject({ outcome: 'stopped' })
    const half = await stored(logstore)
    expect(half.length).toBeLessThan(20_000)
    expect(new Set(half).size).toBe(half.length)
    await run(jobOf({ logstore, parallelism: to, count: 20_000, perSecond: 1_000_000 })).done
    expect(await stored(logstore)).toEqual(all(20_000))
  })

  test('conf-K6 a failure for good fails the checkpoint and the job, and nothing is swallowed', async () => {
    const logstore = 'k-six'
    await create(logstore)
    const options = { logstore, parallelism: 2, count: 20_000 }
    const running = run(jobOf({ ...options, perSecond: 1000 }))
    await checkpoints(running, 1)
    const heal = server.addFault({
      effect: 'error',
      logstore,
      method: 'POST',
      status: 403,
      errorCode: 'ProjectForbidden',
    })
    await expect(running.done).rejects.toThrow('ProjectForbidden')
    heal()
    await run(jobOf({ ...options, perSecond: 1_000_000 })).done
    expect([...new Set(await stored(logstore))]).toEqual(all(20_000))
  })

  test('conf-K6 and lost answers, refused and cut ones lose nothing', async () => {
    const logstore = 'k-doubt'
    await create(logstore)
    const heals = [
      server.addFault({ effect: 'error-after', logstore, method: 'POST', probability: 0.2 }),
      server.addFault({
        effect: 'error',
        logstore,
        method: 'POST',
        probability: 0.2,
        status: 403,
        errorCode: 'WriteQuotaExceed',
      }),
    ]
    await run(jobOf({ logstore, parallelism: 2, count: 1000, perSecond: 100_000 })).done
    for (const heal of heals) heal()
    expect([...new Set(await stored(logstore))]).toEqual(all(1000))
  })

  test('conf-K7 a checkpoint does not wait for the linger, conf-K14 a stop leaves everything stored', async () => {
    const logstore = 'k-seven'
    await create(logstore)
    // The linger is longer than the test may take.
    const running = run(jobOf({ logstore, parallelism: 2, count: 0, linger: 600_000 }))
    await checkpoints(running, 5)
    await running.stop({ drain: true })
    const sent = running.metrics().sum('millrace_records_send_total', 'logs') ?? 0
    const seen = await stored(logstore)
    expect(sent).toBeGreaterThan(0)
    expect(seen.length).toBe(sent)
    expect(new Set(seen).size).toBe(sent)
  })
})
