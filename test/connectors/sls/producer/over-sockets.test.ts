import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { arraySource } from '../../../../src/connectors/memory/index.ts'
import { job, run } from '../../../../src/entry/index.ts'
import { type LogServer, logService } from '../../../../src/entry/logservice.ts'
import {
  createProducer,
  sendingResources,
  slsClient,
  slsDispatch,
  slsSink,
  slsSource,
} from '../../../../src/entry/sls.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-sending-'))
const credentials = { accessKeyId: 'key', accessKeySecret: 'secret' }
let server: LogServer
let connection: { endpoint: string; project: string; credentials: typeof credentials }

beforeAll(async () => {
  server = await logService({ directory: join(directory, 'data'), auth: { key: 'secret' }, projects: ['web'] })
  connection = { endpoint: server.url.replace('127.0.0.1', 'localhost'), project: 'web', credentials }
})
afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

/** Logstores of the service, and how many logs each has. */
const withClient = async <T>(use: (client: ReturnType<typeof slsClient>['client']) => Promise<T>): Promise<T> => {
  const { client, close } = slsClient(connection)
  try {
    return await use(client)
  } finally {
    await close()
  }
}
const create = (logstore: string, shardCount = 2) =>
  withClient((client) => client.logstores.create(logstore, { shardCount }))
const valuesOf = (logstore: string, field: string) =>
  withClient(async (client) => {
    const values: string[] = []
    for (const { id: shard } of await client.shards.list(logstore)) {
      const position = await client.shards.cursor(logstore, shard, 'begin')
      const { groups } = await client.pull({ logstore, shard, position })
      for (const group of groups) for (const log of group.logs()) values.push(log.get(field) ?? '')
    }
    return values.sort((a, b) => Number(a) - Number(b))
  })
const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}`)

describe('over real sockets', () => {
  test('a producer stores what it is given, and its promises say so', async () => {
    await create('produced')
    const producer = createProducer({ ...connection, logstore: 'produced', package: { records: 100 } })
    const outcomes = numbers(1000).map((n) => producer.send({ contents: { n } }))
    await producer.flush()
    expect(new Set((await Promise.all(outcomes)).map(({ logs }) => logs))).toEqual(new Set([1]))
    await producer.close()
    expect(await valuesOf('produced', 'n')).toEqual(numbers(1000))
  })

  test('a job writes to a logstore, and another one passes its LogGroups on by topic', async () => {
    await Promise.all(['written', 'even', 'odd'].map((logstore) => create(logstore)))
    const resources = sendingResources({ memory: '1MiB', io: 2 })
    const log = (n: string) => ({ contents: { n }, topic: Number(n) % 2 === 0 ? 'even' : 'odd' })
    const writing = job(
      'write',
      { guarantee: 'at-least-once', checkpoint: { dir: join(directory, 'write') } },
      (flow) => {
        const sink = slsSink<string>(
          { ...connection, logstore: 'written', log, package: { linger: '1h' } },
          { resources },
        )
        flow.from('numbers', arraySource(numbers(500))).to('logs', sink)
      },
    )
    await run(writing).done
    expect(await valuesOf('written', 'n')).toEqual(numbers(500))
    const dispatch = slsDispatch(
      {
        ...connection,
        targets: { even: { logstore: 'even' }, odd: { logstore: 'odd' } },
        routes: { even: 'even', odd: 'odd' },
        batch: {},
      },
      { resources },
    )
    const passing = job(
      'pass',
      { guarantee: 'at-least-once', checkpoint: { dir: join(directory, 'pass') } },
      (flow) => {
        flow
          .from('groups', slsSource({ ...connection, logstore: 'written', records: 'groups', end: 'now' }))
          .to('dispatch', dispatch)
      },
    )
    await run(passing).done
    expect(await valuesOf('even', 'n')).toEqual(numbers(500).filter((n) => Number(n) % 2 === 0))
    expect(await valuesOf('odd', 'n')).toEqual(numbers(500).filter((n) => Number(n) % 2 === 1))
    expect(dispatch.counts().unmatched).toBe(0)
    expect([resources.memory.used, resources.memory.waiting, resources.io.running]).toEqual([0, 0, 0])
  })
})
