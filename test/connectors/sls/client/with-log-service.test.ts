import { expect, test } from 'vitest'
import { SlsClient, SlsError } from '../../../../src/connectors/sls/index.ts'
import { Secret } from '../../../../src/core/index.ts'
import { cryptoDigest } from '../../../../src/testing/crypto-digest.ts'
import { directTransport, SeededRandom } from '../../../../src/testing/index.ts'
import { syncCompression } from '../../../../src/testing/sync-compression.ts'
import { openTestService } from '../../../logservice/service.ts'

// Loading a codec takes real turns, which virtual time does not wait for.
await Promise.all((['lz4', 'zstd', 'deflate'] as const).map((name) => syncCompression.blockCodec(name)))

/** The client against the embedded log service, without a socket, signatures verified. */
const opened = async (signature: 'v1' | 'v4' = 'v1', secret = 'sk') => {
  const { service, clock } = await openTestService({
    projects: [],
    auth: new Map([['ak', new Secret('sk')]]),
  })
  const client = new SlsClient(
    {
      endpoint: 'http://127.0.0.1:8080',
      project: 'p1',
      signature,
      region: 'cn-test',
      credentials: { accessKeyId: 'ak', accessKeySecret: secret },
    },
    {
      transport: directTransport((request, peer) => service.handle(request, peer), { clock }),
      clock,
      random: new SeededRandom(1),
      digest: cryptoDigest,
      compression: syncCompression,
    },
  )
  const run = <T>(call: Promise<T>): Promise<T> => clock.advanceUntil(call)
  return { client, run, service }
}

const log = (message: string) => ({ logs: [{ time: 1, contents: [['message', message] as const] }] })

test.each(['v1', 'v4'] as const)('what is put is pulled, with signature %s', async (signature) => {
  const { client, run } = await opened(signature)
  await run(client.projects.create())
  await run(client.logstores.create('ls1', { shardCount: 1 }))
  for (const compression of ['lz4', 'zstd', 'deflate', 'none'] as const) {
    await run(client.put('ls1', log(compression), { compression }))
  }
  await run(client.putBatch('ls1', [log('batch 1'), log('batch 2')]))
  await run(client.putJson('ls1', { logs: [{ time: 1, contents: { message: 'json' } }] }))
  const begin = await run(client.shards.cursor('ls1', 0, 'begin'))
  for (const compression of ['lz4', 'zstd', 'none'] as const) {
    const result = await run(client.pull({ logstore: 'ls1', shard: 0, position: begin, compression }))
    const messages = result.groups.map((group) => group.log(0)?.get('message'))
    expect(messages).toEqual(['lz4', 'zstd', 'deflate', 'none', 'batch 1', 'batch 2', 'json'])
    expect(result).toMatchObject({ nextPosition: begin + 7n, lastPosition: begin + 6n, atEnd: true })
  }
  expect(await run(client.shards.cursor('ls1', 0, 'end'))).toBe(begin + 7n)
  expect(await run(client.shards.cursorTime('ls1', 0, begin))).toBeGreaterThan(0)
  const part = { logstore: 'ls1', shard: 0, position: begin, endPosition: begin + 2n }
  expect((await run(client.pull(part))).groups).toHaveLength(2)
})

test('shards, groups and the rest of the calls do what they say', async () => {
  const { client, run } = await opened()
  await run(client.projects.create({ description: 'd' }))
  expect(await run(client.projects.get())).toMatchObject({ name: 'p1', description: 'd' })
  await run(client.projects.update({ description: 'e' }))
  expect((await run(client.projects.list())).projects).toMatchObject([{ name: 'p1', description: 'e' }])
  await run(client.logstores.create('ls1', { shardCount: 1, ttlDays: 7 }))
  expect(await run(client.logstores.get('ls1'))).toMatchObject({ name: 'ls1', ttlDays: 7, shardCount: 1 })
  await run(client.logstores.update('ls1', { ttlDays: 8 }))
  expect(await run(client.logstores.list())).toEqual({ count: 1, total: 1, logstores: ['ls1'] })
  const split = await run(client.shards.split('ls1', 0, { key: '4' }))
  expect(split.map(({ id, status }) => `${id} ${status}`)).toEqual(['0 readonly', '1 readwrite', '2 readwrite'])
  const merged = await run(client.shards.merge('ls1', 1))
  expect(merged.map(({ id, status }) => `${id} ${status}`)).toEqual(['3 readwrite', '1 readonly', '2 readonly'])
  expect(await run(client.shards.list('ls1'))).toHaveLength(4)
  await run(client.shards.delete('ls1', 0))
  await run(client.put('ls1', log('routed'), { hashKey: '8C' }))
  await run(client.consumerGroups.create('ls1', 'cg', { timeoutSeconds: 30 }))
  await run(client.consumerGroups.update('ls1', 'cg', { ordered: true }))
  expect(await run(client.consumerGroups.list('ls1'))).toEqual([{ name: 'cg', timeoutSeconds: 30, ordered: true }])
  expect(await run(client.consumerGroups.heartbeat('ls1', 'cg', 'c1', []))).toContain(3)
  const position = await run(client.shards.cursor('ls1', 3, 'end'))
  await run(client.consumerGroups.updateCheckpoint('ls1', 'cg', { shard: 3, position, consumer: 'c1', force: false }))
  const [checkpoint] = await run(client.consumerGroups.checkpoints('ls1', 'cg', { shard: 3 }))
  expect(checkpoint).toMatchObject({ shard: 3, position, consumer: 'c1' })
  const refused = client.consumerGroups.updateCheckpoint('ls1', 'cg', {
    shard: 3,
    position,
    consumer: 'c2',
    force: false,
  })
  await expect(run(refused)).rejects.toMatchObject({ class: 'not-owner' })
  await run(client.logstores.createIndex('ls1', { line: { token: [' '] } }))
  expect(await run(client.logstores.getIndex('ls1'))).toMatchObject({ line: { token: [' '] } })
  await run(client.logstores.deleteIndex('ls1'))
  await run(client.consumerGroups.delete('ls1', 'cg'))
  await run(client.logstores.delete('ls1'))
  await run(client.projects.delete())
  await expect(run(client.logstores.list())).rejects.toMatchObject({ class: 'not-found' })
})

test('refusals of the service are errors of their class', async () => {
  const { client, run } = await opened()
  await run(client.projects.create())
  await run(client.logstores.create('ls1'))
  const classOf = (call: Promise<unknown>): Promise<unknown> =>
    run(call).then(
      () => 'none',
      (error: unknown) => (error instanceof SlsError ? error.class : error),
    )
  expect(await classOf(client.logstores.create('ls1'))).toBe('conflict')
  expect(await classOf(client.shards.list('nowhere'))).toBe('not-found')
  expect(await classOf(client.shards.cursor('ls1', 99, 'begin'))).toBe('not-found')
  expect(await classOf(client.pull({ logstore: 'ls1', shard: 0, position: 1n }))).toBe('cursor-invalid')
  expect(await classOf(client.consumerGroups.list('ls1'))).toBe('none')
  expect(await classOf(client.consumerGroups.heartbeat('ls1', 'cg', 'c', []))).toBe('not-found')
  const stranger = await opened('v1', 'wrong')
  await expect(stranger.run(stranger.client.projects.create())).rejects.toMatchObject({ class: 'unauthorized' })
})
