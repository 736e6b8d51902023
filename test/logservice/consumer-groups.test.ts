import { describe, expect, test } from 'vitest'
import { decodeCursor, encodeCursor } from '../../src/wire/index.ts'
import { oneLog, openTestService, type ServiceOptions, serviceWithLogstore, type TestService } from './service.ts'

const groups = '/logstores/ls/consumergroups'

const withGroup = async (shardCount = 2, order = false, options: ServiceOptions = {}): Promise<TestService> => {
  const service = await serviceWithLogstore(shardCount, options)
  await service.json('POST', groups, { body: { consumerGroup: 'g', timeout: 60, order } })
  return service
}

const beat = async (service: TestService, consumer: string, listed: readonly number[] = []): Promise<unknown> =>
  service.json('POST', `${groups}/g?type=heartbeat&consumer=${consumer}`, { body: listed })

const commit = (shard: number, checkpoint: string) => ({ body: { shard, checkpoint } })
const checkpointTarget = (consumer: string, force: string): string =>
  `${groups}/g?type=checkpoint&consumer=${consumer}&forceSuccess=${force}`

describe('consumer groups', () => {
  test('are listed by name, changed key by key, and deleted', async () => {
    const service = await withGroup()
    expect(await service.json('GET', groups)).toEqual([{ name: 'g', timeout: 60, order: false }])
    await service.json('PUT', `${groups}/g`, { body: { timeout: 61 } })
    await service.json('PUT', `${groups}/g`, { body: { order: true } })
    expect(await service.json('GET', groups)).toEqual([{ name: 'g', timeout: 61, order: true }])
    await service.json('DELETE', `${groups}/g`)
    expect(await service.json('GET', groups)).toEqual([])
    expect(await service.refused('DELETE', `${groups}/g`)).toBe('404 ConsumerGroupNotExist')
  })

  test('made twice are refused by the exact code that every client knows', async () => {
    const service = await withGroup()
    const body = { consumerGroup: 'g', timeout: 60, order: false }
    expect(await service.refused('POST', groups, { body })).toBe('400 ConsumerGroupAlreadyExist')
  })

  test.each([
    [{}],
    [{ consumerGroup: 'g' }],
    [{ consumerGroup: 'a b', timeout: 1 }],
    [{ consumerGroup: 'x', timeout: 0 }],
    [{ consumerGroup: 'x', timeout: '60' }],
    [{ consumerGroup: 'x', timeout: 60, order: 'no' }],
    [[]],
  ])('made of %j are refused', async (body) => {
    const service = await serviceWithLogstore()
    expect(await service.refused('POST', groups, { body })).toBe('400 JsonInfoInvalid')
  })

  test('have a limit, and no name is no route', async () => {
    const service = await withGroup(1, false, { limits: { groupsPerLogstore: 1 } })
    const body = { consumerGroup: 'h', timeout: 60 }
    expect(await service.refused('POST', groups, { body })).toBe('400 ConsumerGroupQuotaExceed')
    expect(await service.refused('POST', `${groups}/`, { body })).toBe('405 InvalidMethod')
  })

  test('have a checkpoint for every shard before any was committed', async () => {
    const service = await withGroup(2)
    const empty = { checkpoint: '', updateTime: 0, consumer: '' }
    expect(await service.json('GET', `${groups}/g`)).toEqual([
      { shard: 0, ...empty },
      { shard: 1, ...empty },
    ])
    expect(await service.json('GET', `${groups}/g?shard=1`)).toEqual([{ shard: 1, ...empty }])
    expect(await service.json('GET', `${groups}/g?shard=7`)).toEqual([])
    expect(await service.refused('GET', `${groups}/none`)).toBe('404 ConsumerGroupNotExist')
  })

  test.each(['true', 'True'])('take forced checkpoints (%s) from anybody, and keep the text', async (force) => {
    const service = await withGroup(2)
    const bare = (await service.cursor('ls', 1, 'end')).replace(/=*$/, '')
    await service.json('POST', checkpointTarget('', force), commit(1, bare))
    const updateTime = Math.floor(service.clock.wallMs() * 1000)
    const entry = { shard: 1, checkpoint: bare, updateTime, consumer: '' }
    expect(await service.json('GET', `${groups}/g?shard=1`)).toEqual([entry])
  })

  test('take other checkpoints only from the owner of the shard', async () => {
    const service = await withGroup(2)
    const cursor = await service.cursor('ls', 0, 'end')
    const target = checkpointTarget('a', 'false')
    expect(await service.refused('POST', target, commit(0, cursor))).toBe('400 ConsumerNotExist')
    await beat(service, 'b')
    await beat(service, 'a')
    expect(await service.refused('POST', target, commit(0, cursor))).toBe('400 ConsumerNotMatch')
    await service.json('POST', checkpointTarget('b', 'false'), commit(0, cursor))
    await service.clock.advance(61_000)
    expect(await service.refused('POST', checkpointTarget('b', 'false'), commit(0, cursor))).toBe(
      '400 ConsumerNotExist',
    )
  })

  test.each([
    ['a shard that is not there', commit(9, 'MA=='), '400 ShardNotExist'],
    ['no cursor', commit(0, '!'), '400 ParameterInvalid'],
    ['another shape', { body: { shard: '0' } }, '400 JsonInfoInvalid'],
    ['no JSON', { body: 'x' }, '400 JsonInfoInvalid'],
  ])('refuse a checkpoint with %s', async (_, sent, refusal) => {
    const service = await withGroup()
    expect(await service.refused('POST', checkpointTarget('', 'true'), sent)).toBe(refusal)
  })

  test('share shards between two members, and fail over when one falls silent', async () => {
    const service = await withGroup(2)
    expect(await beat(service, 'a')).toEqual([0, 1])
    expect(await beat(service, 'b')).toEqual([])
    expect(await beat(service, 'a', [0, 1])).toEqual([0])
    expect(await beat(service, 'a', [0])).toEqual([0])
    expect(await beat(service, 'b')).toEqual([1])
    await service.clock.advance(59_000)
    await beat(service, 'b', [1])
    await service.clock.advance(2_000)
    expect(await beat(service, 'b', [1])).toEqual([0, 1])
    const late = { body: [0] }
    expect(await service.refused('POST', `${groups}/g?type=heartbeat&consumer=a`, late)).toBe(
      '400 NotExistConsumerWithBody',
    )
  })

  test('with order give out the children of a split once its end is committed', async () => {
    const service = await withGroup(1, true)
    await service.put('/logstores/ls', oneLog('x'))
    await service.json('POST', '/logstores/ls/shards/0?action=split')
    expect(await beat(service, 'a')).toEqual([0])
    const end = await service.cursor('ls', 0, 'end')
    const before = encodeCursor((decodeCursor(end) ?? 0n) - 1n)
    await service.json('POST', checkpointTarget('a', 'false'), commit(0, before))
    expect(await beat(service, 'a', [0])).toEqual([0])
    await service.json('POST', checkpointTarget('a', 'false'), commit(0, end))
    expect(await beat(service, 'a', [0])).toEqual([1, 2])
  })

  test('with order do not wait for a parent that never held anything', async () => {
    const service = await withGroup(1, true)
    await service.json('POST', '/logstores/ls/shards/0?action=split')
    expect(await beat(service, 'a')).toEqual([1, 2])
  })

  test.each([
    ['', [], '400 ParameterInvalid'],
    ['a', {}, '400 JsonInfoInvalid'],
    ['a', ['0'], '400 JsonInfoInvalid'],
    ['x'.repeat(257), [], '400 ParameterInvalid'],
  ])('refuse a heartbeat of "%s" with %j', async (consumer, body, refusal) => {
    const service = await withGroup()
    expect(await service.refused('POST', `${groups}/g?type=heartbeat&consumer=${consumer}`, { body })).toBe(refusal)
  })

  test('keep definitions and checkpoints over a restart', async () => {
    const service = await withGroup(2, true)
    const end = await service.cursor('ls', 1, 'end')
    await service.json('POST', checkpointTarget('', 'true'), commit(1, end))
    const before = await service.json('GET', `${groups}/g`)
    await service.service.close()
    const again = await openTestService({ disk: service.disk, clock: service.clock })
    expect(await again.json('GET', `${groups}/g`)).toEqual(before)
    expect(await again.json('GET', groups)).toEqual([{ name: 'g', timeout: 60, order: true }])
    expect(await again.cursor('ls', 1, 'end')).toBe(end)
  })
})
