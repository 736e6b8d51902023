import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { oneLog, serviceWithLogstore, type TestService } from './service.ts'

interface ListedShard {
  readonly shardID: number
  readonly status: string
  readonly inclusiveBeginKey: string
  readonly exclusiveEndKey: string
}

const key = (head: string): string => head.padEnd(32, '0')
const last = 'f'.repeat(32)

const shards = async (service: TestService): Promise<ListedShard[]> =>
  (await service.json('GET', '/logstores/ls/shards')) as ListedShard[]

const act = async (service: TestService, shard: number, query: string): Promise<ListedShard[]> =>
  (await service.json('POST', `/logstores/ls/shards/${shard}?${query}`)) as ListedShard[]

const brief = (list: readonly ListedShard[]): string[] =>
  list.map(({ shardID, status, inclusiveBeginKey, exclusiveEndKey }) => {
    const end = exclusiveEndKey === last ? 'end' : exclusiveEndKey.replace(/0+$/, '')
    return `${shardID} ${status} ${inclusiveBeginKey.replace(/0+$/, '') || '0'}-${end}`
  })

describe('shards', () => {
  test('of a new logstore share the hash space evenly', async () => {
    const service = await serviceWithLogstore(4)
    expect(brief(await shards(service))).toEqual([
      '0 readwrite 0-4',
      '1 readwrite 4-8',
      '2 readwrite 8-c',
      '3 readwrite c-end',
    ])
    expect((await shards(service))[0]).toEqual({
      shardID: 0,
      status: 'readwrite',
      inclusiveBeginKey: key(''),
      exclusiveEndKey: key('4'),
      createTime: Math.floor(service.clock.wallMs() / 1000),
      serverIp: '',
    })
  })

  test('split evenly, and the answer has the old one first', async () => {
    const service = await serviceWithLogstore(2)
    expect(brief(await act(service, 0, 'action=split&key='))).toEqual([
      '0 readonly 0-8',
      '2 readwrite 0-4',
      '3 readwrite 4-8',
    ])
    expect(brief(await act(service, 1, 'action=split&shardCount=4'))).toEqual([
      '1 readonly 8-end',
      '4 readwrite 8-a',
      '5 readwrite a-c',
      '6 readwrite c-e',
      '7 readwrite e-end',
    ])
  })

  test('split at a key', async () => {
    const service = await serviceWithLogstore(1)
    expect(brief(await act(service, 0, `action=split&key=${key('5a')}`))).toEqual([
      '0 readonly 0-end',
      '1 readwrite 0-5a',
      '2 readwrite 5a-end',
    ])
  })

  test('merge with the right neighbour, and the answer has the new one first', async () => {
    const service = await serviceWithLogstore(3)
    await act(service, 1, 'action=split')
    expect(brief(await act(service, 4, 'action=merge'))).toEqual([
      expect.stringMatching(/^5 readwrite \w+-end$/),
      expect.stringMatching(/^4 readonly/),
      expect.stringMatching(/^2 readonly \w+-end$/),
    ])
  })

  test.each([
    ['0?action=split&key=zz', '400 ParameterInvalid'],
    [`0?action=split&key=${key('')}`, '400 ParameterInvalid'],
    [`0?action=split&key=${key('9')}`, '400 ParameterInvalid'],
    ['0?action=split&shardCount=1', '400 ParameterInvalid'],
    ['0?action=split&shardCount=257', '400 ParameterInvalid'],
    ['1?action=merge', '400 ParameterInvalid'],
    ['9?action=merge', '400 ShardNotExist'],
    ['x?action=split', '400 ParameterInvalid'],
    ['0?action=dance', '405 InvalidMethod'],
  ])('refuse %s with %s', async (target, refusal) => {
    const service = await serviceWithLogstore(2)
    expect(await service.refused('POST', `/logstores/ls/shards/${target}`)).toBe(refusal)
    expect(await shards(service)).toHaveLength(2)
  })

  test('that are read-only neither split nor merge, and stay readable with a stable end', async () => {
    const service = await serviceWithLogstore(1)
    await service.put('/logstores/ls', oneLog('before'))
    await act(service, 0, 'action=split')
    const end = await service.cursor('ls', 0, 'end')
    for (let n = 0; n < 4; n++) await service.put('/logstores/ls', oneLog('after'))
    expect(await service.cursor('ls', 0, 'end')).toBe(end)
    const pulled = await service.pull('ls', 0, await service.cursor('ls', 0, 'begin'))
    expect(pulled.headers).toMatchObject({ 'x-log-count': '1', 'x-log-cursor': end, 'x-log-end-of-cursor': '1' })
    for (const action of ['split', 'merge'])
      expect(await service.refused('POST', `/logstores/ls/shards/0?action=${action}`)).toBe('400 ParameterInvalid')
  })

  test('take puts made while they split before it or, in their children, after it; none is lost', async () => {
    const service = await serviceWithLogstore(1)
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, (_, n) => service.put('/logstores/ls/shards/lb', oneLog(`a${n}`))),
      service.send('POST', '/logstores/ls/shards/0?action=split'),
      ...Array.from({ length: 5 }, (_, n) => service.put(`/logstores/ls/shards/route?key=${n * 3}`, oneLog(`b${n}`))),
    ])
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    const counts = await Promise.all(
      [0, 1, 2].map(async (shard) => {
        const pulled = await service.pull('ls', shard, await service.cursor('ls', shard, 'begin'))
        return Number(pulled.headers['x-log-count'])
      }),
    )
    expect(counts.reduce((a, b) => a + b)).toBe(10)
  })

  test('take no put once their split is on its way, and take them again when it failed', async () => {
    for (const failure of [undefined, new Error('the disk is gone')]) {
      const service = await serviceWithLogstore(1)
      let release: () => void = () => {}
      service.disk.held = new Promise((resolve) => {
        release = resolve
      })
      const split = service.send('POST', '/logstores/ls/shards/0?action=split')
      await service.clock.yield()
      const puts = [service.put('/logstores/ls/shards/lb'), service.put('/logstores/ls/shards/route?key=0')]
      await service.clock.yield()
      service.disk.failure = failure
      service.disk.held = undefined
      release()
      const { status } = await split
      expect(status).toBe(failure === undefined ? 200 : 500)
      expect((await Promise.all(puts)).map((answer) => answer.status)).toEqual([200, 200])
      const { 'x-log-count': inParent } = (await service.pull('ls', 0, await service.cursor('ls', 0, 'begin'))).headers
      expect(inParent).toBe(failure === undefined ? '0' : '2')
    }
  })

  test('can be deleted once they are read-only', async () => {
    const service = await serviceWithLogstore(1)
    expect(await service.refused('DELETE', '/logstores/ls/shards/0')).toBe('400 ParameterInvalid')
    await act(service, 0, 'action=split')
    await service.json('DELETE', '/logstores/ls/shards/0')
    expect(brief(await shards(service))).toEqual(['1 readwrite 0-8', '2 readwrite 8-end'])
    expect(await service.refused('GET', '/logstores/ls/shards/0?type=cursor&from=end')).toBe('400 ShardNotExist')
  })

  test('that take writes cover every key exactly once, whatever was split and merged', async () => {
    const action = fc.record({
      pick: fc.nat(),
      kind: fc.constantFrom('split', 'merge'),
      count: fc.integer({ min: 2, max: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.array(action, { maxLength: 12 }), async (count, actions) => {
        const service = await serviceWithLogstore(count)
        for (const { pick, kind, count: parts } of actions) {
          const all = await shards(service)
          const query = kind === 'split' ? `action=split&shardCount=${parts}` : 'action=merge'
          await service.send('POST', `/logstores/ls/shards/${pick % all.length}?${query}`)
        }
        const all = await shards(service)
        expect(all.map(({ shardID }) => shardID)).toEqual(all.map((_, index) => index))
        const open = all
          .filter(({ status }) => status === 'readwrite')
          .sort((a, b) => (a.inclusiveBeginKey < b.inclusiveBeginKey ? -1 : 1))
        expect(open[0]?.inclusiveBeginKey).toBe(key(''))
        expect(open.at(-1)?.exclusiveEndKey).toBe(last)
        for (const [index, shard] of open.slice(1).entries())
          expect(shard.inclusiveBeginKey).toBe(open[index]?.exclusiveEndKey)
      }),
      { numRuns: 40 },
    )
  })
})
