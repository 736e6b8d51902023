/** The driver of the client of this package. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  JsonLogGroup,
  PullRequest,
  PutOptions,
  ShardInfo,
  SlsClient,
  SlsClientOptions,
} from '../../../src/entry/sls.ts'
import { encodeLogGroup, type LogGroupInit } from '../../../src/wire/index.ts'
import { check, codeOf, connect, prefix, refusal, temporaryKey } from './driver.ts'

const project = `${prefix}p`
const client = connect({ project })
const logstore = 'app'
const border = (digit: string): string => digit.padEnd(32, '0')
const seconds = (): number => Math.floor(Date.now() / 1000)

const makeLogstore = async (name: string, shardCount = 1): Promise<string> => {
  await client.logstores.create(name, { shardCount, ttlDays: 3 })
  return name
}
const groupOf = (fields: Readonly<Record<string, string>>): LogGroupInit => ({
  logs: [{ time: seconds(), contents: Object.entries(fields) }],
})
const send = async (store: string, n: string, options?: PutOptions): Promise<Buffer> => {
  const bytes = encodeLogGroup(groupOf({ n }))
  await client.put(store, bytes, options)
  return Buffer.from(bytes)
}
const read = async (store: string, more: Partial<PullRequest> = {}) => {
  const shard = more.shard ?? 0
  const position = more.position ?? (await client.shards.cursor(store, shard, 'begin'))
  const result = await client.pull({ logstore: store, ...more, shard, position })
  return { ...result, bytes: result.groups.map(({ bytes }) => Buffer.from(bytes)) }
}
const summary = (shards: readonly ShardInfo[]): string[] => shards.map(({ id, status }) => `${id} ${status}`)

await check('create-project', async () => {
  await client.projects.create({ description: 'by millrace' })
  const { name, description } = await client.projects.get()
  assert.deepEqual([name, description], [project, 'by millrace'])
})
await check('create-project-twice', async () => {
  assert.equal(await codeOf(() => client.projects.create()), 'ProjectAlreadyExist')
})
await check('update-project', async () => {
  await client.projects.update({ description: 'new words' })
  assert.equal((await client.projects.get()).description, 'new words')
})
await check('list-projects', async () => {
  const { projects } = await connect().projects.list({ nameFilter: project })
  assert.deepEqual(
    projects.map(({ name }) => name),
    [project],
  )
})
await check('delete-project', async () => {
  const other = client.ofProject(`${prefix}gone`)
  await other.projects.create()
  await other.projects.delete()
  assert.equal(await codeOf(() => other.projects.get()), 'ProjectNotExist')
})
await check('create-logstore', async () => {
  await makeLogstore(logstore, 2)
  const { name, ttlDays, shardCount } = await client.logstores.get(logstore)
  assert.deepEqual([name, ttlDays, shardCount], [logstore, 3, 2])
})
await check('create-logstore-twice', async () => {
  assert.equal(await codeOf(() => makeLogstore(logstore)), 'LogStoreAlreadyExist')
})
await check('update-logstore', async () => {
  await client.logstores.update(logstore, { ttlDays: 9 })
  assert.equal((await client.logstores.get(logstore)).ttlDays, 9)
})
await check('list-logstores', async () => {
  await makeLogstore('other')
  assert.deepEqual([...(await client.logstores.list()).logstores].sort(), [logstore, 'other'])
  assert.deepEqual((await client.logstores.list({ nameFilter: 'oth' })).logstores, ['other'])
})
await check('delete-logstore', async () => {
  await client.logstores.delete('other')
  assert.equal(await codeOf(() => client.logstores.get('other')), 'LogStoreNotExist')
})
await check('index-crud', async () => {
  const index = (caseSensitive: boolean) => ({ ttl: 7, line: { token: [' '], caseSensitive } })
  await client.logstores.createIndex(logstore, index(false))
  assert.deepEqual((await client.logstores.getIndex(logstore))['line'], index(false).line)
  await client.logstores.updateIndex(logstore, index(true))
  assert.deepEqual((await client.logstores.getIndex(logstore))['line'], index(true).line)
  await client.logstores.deleteIndex(logstore)
  assert.equal(await codeOf(() => client.logstores.getIndex(logstore)), 'IndexConfigNotExist')
})

const canUse = async (options: Partial<SlsClientOptions>): Promise<void> => {
  const other: SlsClient = connect({ project, ...options })
  assert.equal((await other.shards.list(logstore)).length, 2)
  await other.put(logstore, groupOf({ n: 'signed' }))
}
await check('auth-v1', () => canUse({ signature: 'v1' }))
await check('auth-v1-sts', () => canUse({ signature: 'v1', credentials: temporaryKey }))
await check('auth-v4', () => canUse({ signature: 'v4' }))
await check('auth-v4-sts', () => canUse({ signature: 'v4', credentials: temporaryKey }))
await check('host-with-port', () => canUse({}))

const refusedWith = async (credentials: SlsClientOptions['credentials']) => {
  const answers: unknown[] = []
  for (const signature of ['v1', 'v4'] as const) {
    const error = await refusal(() => connect({ project, credentials, signature }).shards.list(logstore))
    answers.push([error.status, error.errorCode])
  }
  return answers
}
await check('wrong-secret', async () => {
  const wanted = [401, 'SignatureNotMatch']
  assert.deepEqual(await refusedWith({ ...temporaryKey, accessKeySecret: 'wrong' }), [wanted, wanted])
})
await check('unknown-key', async () => {
  const wanted = [401, 'Unauthorized']
  assert.deepEqual(await refusedWith({ ...temporaryKey, accessKeyId: 'nobody' }), [wanted, wanted])
})

for (const codec of ['lz4', 'zstd', 'deflate', 'none'] as const) {
  const name = codec === 'none' ? 'identity' : codec
  await check(`put-lb-${name}`, async () => {
    const store = await makeLogstore(`lb-${name}`)
    const sent = [groupOf({ text: 'again '.repeat(200) }), groupOf({ noise: randomBytes(1 << 20).toString('hex') })]
    for (const group of sent) await client.put(store, group, { compression: codec })
    const { bytes } = await read(store)
    assert.ok(bytes.length === 2 && bytes.every((got, i) => got.equals(encodeLogGroup(sent[i] ?? groupOf({})))))
  })
  await check(`put-route-${name}`, async () => {
    const store = await makeLogstore(`route-${name}`, 2)
    const left = await send(store, 'left', { hashKey: '7F', compression: codec })
    const right = await send(store, 'right', { hashKey: '80', compression: codec })
    assert.deepEqual((await read(store, { shard: 0 })).bytes, [left])
    assert.deepEqual((await read(store, { shard: 1 })).bytes, [right])
  })
}
const jsonGroup = (time: number): JsonLogGroup => ({
  topic: 't',
  source: '10.0.0.1',
  tags: { host: 'h1' },
  logs: [{ time, contents: { level: 'warn' } }],
})
const sameGroup = (time: number): LogGroupInit => ({
  topic: 't',
  source: '10.0.0.1',
  tags: [['host', 'h1']],
  logs: [{ time, contents: [['level', 'warn']] }],
})
for (const codec of ['lz4', 'deflate', 'none'] as const) {
  const name = codec === 'none' ? 'identity' : codec
  await check(`put-json-${name}`, async () => {
    const store = await makeLogstore(`json-${name}`)
    const time = seconds()
    await client.putJson(store, jsonGroup(time), { compression: codec })
    assert.deepEqual((await read(store)).bytes, [Buffer.from(encodeLogGroup(sameGroup(time)))])
  })
}
for (const codec of ['lz4', 'zstd'] as const) {
  await check(`put-batch-${codec}`, async () => {
    const store = await makeLogstore(`batch-${codec}`)
    const groups = ['1', '2', '3'].map((n) => encodeLogGroup(groupOf({ n })))
    await client.putBatch(store, groups, { compression: codec })
    assert.deepEqual(
      (await read(store)).bytes,
      groups.map((group) => Buffer.from(group)),
    )
  })
}
await check('put-tags', async () => {
  const store = await makeLogstore('tags')
  const [log] = sameGroup(seconds()).logs
  const group: LogGroupInit = { ...sameGroup(0), logs: log === undefined ? [] : [{ ...log, timeNs: 123_456_789 }] }
  await client.put(store, group)
  assert.deepEqual((await read(store)).bytes, [Buffer.from(encodeLogGroup(group))])
})
await check('put-bytes', async () => {
  const store = await makeLogstore('bytes')
  const sent = Buffer.from(encodeLogGroup(groupOf({ value: 'ABCD' })))
  sent.set([0xff, 0xfe, 0x00, 0xc0], sent.indexOf('ABCD'))
  await client.put(store, sent)
  assert.deepEqual((await read(store)).bytes, [sent])
})

const counted = 'counted'
const countedAt = seconds()
const sent: Buffer[] = []
await check('count-groups', async () => {
  await makeLogstore(counted)
  for (let i = 0; i < 25; i++) sent.push(await send(counted, String(i)))
  assert.deepEqual((await read(counted)).bytes, sent)
})
const begin = await client.shards.cursor(counted, 0, 'begin')
const end = await client.shards.cursor(counted, 0, 'end')
await check('cursors-dense', async () => {
  for (let i = 0n; i < 25n; i++) {
    const { bytes, nextPosition } = await read(counted, { position: begin + i, count: 1 })
    assert.deepEqual([bytes, nextPosition], [[sent[Number(i)]], begin + i + 1n])
  }
  assert.equal(end, begin + 25n)
})
await check('cursor-begin', async () => {
  assert.deepEqual((await read(counted, { position: begin, count: 1 })).bytes, sent.slice(0, 1))
})
await check('cursor-end', async () => {
  const store = await makeLogstore('cursor-end')
  await send(store, 'before')
  const position = await client.shards.cursor(store, 0, 'end')
  assert.deepEqual((await read(store, { position })).bytes, [])
  const after = await send(store, 'after')
  assert.deepEqual((await read(store, { position })).bytes, [after])
})
await check('cursor-by-time', async () => {
  assert.equal(await client.shards.cursor(counted, 0, { seconds: countedAt - 3_600 }), begin)
  assert.equal(await client.shards.cursor(counted, 0, { seconds: countedAt + 3_600 }), end)
})
const timeOf = (position: bigint): Promise<number> => client.shards.cursorTime(counted, 0, position)
await check('cursor-time', async () => {
  assert.ok(Math.abs((await timeOf(begin)) - countedAt) <= 10)
  assert.ok(Math.abs((await timeOf(end)) - seconds()) <= 3)
})
await check('previous-cursor-time', async () => {
  assert.equal(await timeOf(end - 1n), (await read(counted)).receivedSeconds)
})
await check('end-cursor', async () => {
  const { bytes, nextPosition } = await read(counted, { endPosition: begin + 7n })
  assert.deepEqual([bytes, nextPosition], [sent.slice(0, 7), begin + 7n])
})

for (const compression of ['lz4', 'zstd', 'none'] as const) {
  await check(`pull-${compression === 'none' ? 'identity' : compression}`, async () => {
    const { bytes, rawBytes, bodyBytes } = await read(counted, { compression })
    assert.deepEqual(bytes, sent)
    assert.equal(bodyBytes === rawBytes, compression === 'none')
  })
}
await check('pull-empty', async () => {
  for (const compression of ['lz4', 'zstd', 'none'] as const) {
    const { bytes, rawBytes, nextPosition, atEnd } = await read(counted, { position: end, compression })
    assert.deepEqual([bytes, rawBytes, nextPosition, atEnd], [[], 0, end, true])
  }
})
await check('pull-count', async () => {
  const { bytes, nextPosition } = await read(counted, { count: 3 })
  assert.deepEqual([bytes, nextPosition], [sent.slice(0, 3), begin + 3n])
})
await check('pull-query', async () => {
  const store = await makeLogstore('queried')
  await send(store, 'info')
  const found = await send(store, 'error')
  await send(store, 'info')
  const { bytes, nextPosition, scannedGroups } = await read(store, { query: 'n: error' })
  assert.deepEqual([bytes, scannedGroups], [[found], 3])
  assert.equal(nextPosition, await client.shards.cursor(store, 0, 'end'))
})

await check('list-shards', async () => {
  const shards = await client.shards.list(logstore)
  assert.deepEqual(summary(shards), ['0 readwrite', '1 readwrite'])
  assert.deepEqual(
    shards.map(({ beginKey, endKey }) => [beginKey, endKey]),
    [
      [border('0'), border('8')],
      [border('8'), 'f'.repeat(32)],
    ],
  )
})
let endOfSplit: bigint | undefined
const beforeSplit: Buffer[] = []
await check('split', async () => {
  await makeLogstore('split')
  for (const n of ['1', '2', '3']) beforeSplit.push(await send('split', n))
  const answer = await client.shards.split('split', 0)
  endOfSplit = await client.shards.cursor('split', 0, 'end')
  assert.deepEqual(summary(answer), ['0 readonly', '1 readwrite', '2 readwrite'])
  assert.deepEqual(await client.shards.list('split'), answer)
})
await check('read-only-readable', async () => {
  const { bytes, nextPosition } = await read('split')
  assert.deepEqual([bytes, nextPosition], [beforeSplit, endOfSplit])
})
await check('read-only-end', async () => {
  await send('split', '4')
  assert.equal(await client.shards.cursor('split', 0, 'end'), endOfSplit)
})
await check('merge', async () => {
  const answer = await client.shards.merge('split', 1)
  assert.deepEqual(summary(answer), ['3 readwrite', '1 readonly', '2 readonly'])
  assert.deepEqual([answer[0]?.beginKey, answer[0]?.endKey], [border('0'), 'f'.repeat(32)])
})
await check('delete-shard', async () => {
  await client.shards.delete('split', 0)
  assert.deepEqual(summary(await client.shards.list('split')), ['1 readonly', '2 readonly', '3 readwrite'])
})
await check('split-at-key', async () => {
  const [, left, right] = await client.shards.split(await makeLogstore('split-at-key'), 0, { key: border('4') })
  assert.deepEqual([left?.endKey, right?.beginKey], [border('4'), border('4')])
})
await check('split-count', async () => {
  const answer = await client.shards.split(await makeLogstore('split-count'), 0, { count: 3 })
  assert.deepEqual(summary(answer), ['0 readonly', '1 readwrite', '2 readwrite', '3 readwrite'])
})

const groups = client.consumerGroups
const store = await makeLogstore('groups', 2)
const beat = async (group: string, consumer: string, listed: readonly number[], of = store): Promise<number[]> =>
  [...(await groups.heartbeat(of, group, consumer, listed))].sort()
await check('group-create', () => groups.create(store, 'g1', { timeoutSeconds: 60, ordered: true }))
await check('group-create-twice', async () => {
  assert.equal(await codeOf(() => groups.create(store, 'g1')), 'ConsumerGroupAlreadyExist')
})
await check('group-list', async () => {
  assert.deepEqual(await groups.list(store), [{ name: 'g1', timeoutSeconds: 60, ordered: true }])
})
await check('group-update', async () => {
  await groups.update(store, 'g1', { timeoutSeconds: 40, ordered: false })
  assert.deepEqual(await groups.list(store), [{ name: 'g1', timeoutSeconds: 40, ordered: false }])
})
await check('group-delete', async () => {
  await groups.create(store, 'g2')
  await groups.delete(store, 'g2')
  assert.equal((await groups.list(store)).length, 1)
})
await check('checkpoint-empty', async () => {
  const entries = await groups.checkpoints(store, 'g1')
  assert.deepEqual(
    entries.map(({ shard, text, position }) => [shard, text, position]),
    [
      [0, '', undefined],
      [1, '', undefined],
    ],
  )
})
await check('checkpoint-set', async () => {
  const position = await client.shards.cursor(store, 1, 'end')
  await groups.updateCheckpoint(store, 'g1', { shard: 1, position, consumer: 'c 1' })
  const entry = (await groups.checkpoints(store, 'g1')).find(({ shard }) => shard === 1)
  assert.deepEqual([entry?.position, entry?.consumer], [position, 'c 1'])
  assert.ok(Math.abs((entry?.updatedUs ?? 0) / 1e6 - seconds()) < 10)
})
await check('checkpoint-one-shard', async () => {
  const shown = async (shard: number) =>
    (await groups.checkpoints(store, 'g1', { shard })).map((entry) => [entry.shard, entry.text !== ''])
  assert.deepEqual([await shown(1), await shown(0)], [[[1, true]], [[0, false]]])
})
await check('checkpoint-of-owner', async () => {
  await groups.create(store, 'owned')
  assert.deepEqual(await beat('owned', 'owner', []), [0, 1])
  const position = await client.shards.cursor(store, 0, 'end')
  const commit = (consumer: string) =>
    groups.updateCheckpoint(store, 'owned', { shard: 0, position, consumer, force: false })
  await commit('owner')
  assert.equal(await codeOf(() => commit('stranger')), 'ConsumerNotExist')
  await beat('owned', 'second', [])
  assert.equal(await codeOf(() => commit('second')), 'ConsumerNotMatch')
})
await check('heartbeat', async () => {
  await groups.create(store, 'beat')
  assert.deepEqual(await beat('beat', 'c1', []), [0, 1])
  assert.deepEqual(await beat('beat', 'c1', [0, 1]), [0, 1])
})
await check('heartbeat-transfer', async () => {
  await groups.create(store, 'move')
  assert.deepEqual(await beat('move', 'c1', []), [0, 1])
  assert.deepEqual(await beat('move', 'c2', []), [])
  const kept = await beat('move', 'c1', [0, 1])
  assert.equal(kept.length, 1)
  assert.deepEqual(await beat('move', 'c2', []), [])
  assert.deepEqual(await beat('move', 'c1', kept), kept)
  assert.deepEqual(await beat('move', 'c2', []), [1 - (kept[0] ?? 0)])
})
await check('heartbeat-expiry', async () => {
  await groups.create(store, 'expire', { timeoutSeconds: 2 })
  assert.deepEqual(await beat('expire', 'c1', []), [0, 1])
  let got: number[] = []
  for (let i = 0; i < 8 && got.length < 2; i++) {
    got = await beat('expire', 'c2', got)
    await sleep(500)
  }
  assert.deepEqual(got, [0, 1])
})
await check('heartbeat-order', async () => {
  const ordered = await makeLogstore('ordered')
  await groups.create(ordered, 'order', { ordered: true })
  await send(ordered, '1')
  await client.shards.split(ordered, 0)
  assert.deepEqual(await beat('order', 'c1', [], ordered), [0])
  const position = await client.shards.cursor(ordered, 0, 'end')
  await groups.updateCheckpoint(ordered, 'order', { shard: 0, position, consumer: 'c1' })
  assert.deepEqual(await beat('order', 'c1', [0], ordered), [1, 2])
})

await check('unknown-project', async () => {
  const error = await refusal(() => client.ofProject(`${prefix}nowhere`).shards.list(logstore))
  assert.deepEqual([error.errorCode, error.status, error.class], ['ProjectNotExist', 404, 'not-found'])
})
await check('unknown-logstore', async () => {
  const error = await refusal(() => client.put('nowhere', groupOf({ a: 'b' })))
  assert.deepEqual([error.errorCode, error.status, error.ambiguous], ['LogStoreNotExist', 404, false])
})
await check('unknown-shard', async () => {
  assert.equal(await codeOf(() => client.shards.cursor(logstore, 77, 'begin')), 'ShardNotExist')
})
await check('unknown-group', async () => {
  assert.equal(await codeOf(() => beat('nobody', 'c1', [])), 'ConsumerGroupNotExist')
})
await check('cursor-out-of-range', async () => {
  assert.equal(await codeOf(() => read(counted, { position: end + 5n })), 'InvalidCursor')
})
await check('error-parts', async () => {
  const error = await refusal(() => client.logstores.get('nowhere'))
  assert.deepEqual([error.errorCode, error.status], ['LogStoreNotExist', 404])
  assert.match(error.message, /logstore nowhere does not exist/)
  assert.match(error.requestId ?? '', /^[0-9A-F]{24}$/)
})

// Connections that wait for another request would keep the process for seconds.
process.exit(0)
