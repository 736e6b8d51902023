/** The driver of @alicloud/sls20201230: every call of it that the service has; puts and pulls through its `execute`. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { bareEndpoint, check, endpoint, name, refusal, resolveEverywhere, temporaryKey } from './driver.mjs'
import { decodeGroups, encodeGroup, fieldsOf, groupOf, seconds, sliceGroups } from './log-groups.mjs'
import { connect, cursorOf, models, pull, put } from './sls20201230-client.mjs'

resolveEverywhere()

const client = connect()
const project = name('n2')
const logstore = 'app'

const makeLogstore = async (logstoreName, shardCount) => {
  await client.createLogStore(project, new models.CreateLogStoreRequest({ logstoreName, shardCount, ttl: 3 }))
  return logstoreName
}
const shardsOf = async (store) => (await client.listShards(project, store)).body
const from = (store, shard, where) => cursorOf(client, project, store, shard, where)
const send = (store, fields, more, codec = 'lz4') =>
  put(client, project, store, encodeGroup(groupOf(fields, more)), codec)
const read = (store, shard, query, codec) => pull(client, project, store, shard, query, codec)
const readAll = async (store, shard = 0, codec = 'lz4') =>
  read(store, shard, { cursor: await from(store, shard, 'begin'), count: 1000 }, codec)
const number = (cursor) => BigInt(Buffer.from(cursor, 'base64').toString())
const text = (value) => Buffer.from(String(value)).toString('base64')
const codeOf = (error) => error.code
const statusOf = (error) => error.data?.httpCode ?? error.statusCode

await check('create-project', async () => {
  await client.createProject(new models.CreateProjectRequest({ projectName: project, description: 'by N2' }))
  const { body } = await client.getProject(project)
  assert.equal(body.projectName, project)
  assert.equal(body.description, 'by N2')
})
await check('create-project-twice', async () => {
  const request = new models.CreateProjectRequest({ projectName: project, description: 'again' })
  assert.equal(codeOf(await refusal(() => client.createProject(request))), 'ProjectAlreadyExist')
})
await check('update-project', async () => {
  await client.updateProject(project, new models.UpdateProjectRequest({ description: 'new words' }))
  assert.equal((await client.getProject(project)).body.description, 'new words')
})
await check('list-projects', async () => {
  const bare = connect({ host: bareEndpoint })
  const { body } = await bare.listProject(new models.ListProjectRequest({ projectName: project, size: 10 }))
  assert.deepEqual(
    body.projects.map(({ projectName }) => projectName),
    [project],
  )
})
await check('delete-project', async () => {
  const projectName = name('n2-gone')
  await client.createProject(new models.CreateProjectRequest({ projectName, description: '' }))
  await client.deleteProject(projectName, new models.DeleteProjectRequest({}))
  assert.equal(codeOf(await refusal(() => client.getProject(projectName))), 'ProjectNotExist')
})

await check('create-logstore', async () => {
  await makeLogstore(logstore, 2)
  const { body } = await client.getLogStore(project, logstore)
  assert.deepEqual([body.logstoreName, body.ttl, body.shardCount], [logstore, 3, 2])
})
await check('create-logstore-twice', async () => {
  assert.equal(codeOf(await refusal(() => makeLogstore(logstore, 2))), 'LogStoreAlreadyExist')
})
await check('update-logstore', async () => {
  await client.updateLogStore(project, logstore, new models.UpdateLogStoreRequest({ logstoreName: logstore, ttl: 9 }))
  assert.equal((await client.getLogStore(project, logstore)).body.ttl, 9)
})
await check('list-logstores', async () => {
  await makeLogstore('other', 1)
  const list = async (logstoreName) =>
    (await client.listLogStores(project, new models.ListLogStoresRequest({ logstoreName, offset: 0, size: 100 }))).body
      .logstores
  assert.deepEqual([...(await list(undefined))].sort(), [logstore, 'other'])
  assert.deepEqual(await list('oth'), ['other'])
})
await check('delete-logstore', async () => {
  await client.deleteLogStore(project, 'other')
  assert.equal(codeOf(await refusal(() => client.getLogStore(project, 'other'))), 'LogStoreNotExist')
})
await check('index-crud', async () => {
  const index = (maxTextLen) => new models.CreateIndexRequest({ body: new models.Index({ ttl: 7, maxTextLen }) })
  await client.createIndex(project, logstore, index(1024))
  assert.equal((await client.getIndex(project, logstore)).body.maxTextLen, 1024)
  await client.updateIndex(project, logstore, index(2048))
  assert.equal((await client.getIndex(project, logstore)).body.maxTextLen, 2048)
  await client.deleteIndex(project, logstore)
  assert.equal(codeOf(await refusal(() => client.getIndex(project, logstore))), 'IndexConfigNotExist')
})

const canList = async (options) => {
  const other = connect(options)
  assert.equal((await other.listShards(project, logstore)).body.length, 2)
  await put(other, project, logstore, encodeGroup(groupOf({ signed: options.version ?? 'v1' })), 'lz4')
}
await check('auth-v1', () => canList({ version: 'v1' }))
await check('auth-v1-sts', () => canList({ version: 'v1', ...temporaryKey }))
await check('auth-v4', () => canList({ version: 'v4' }))
await check('auth-v4-sts', () => canList({ version: 'v4', ...temporaryKey }))
await check('host-with-port', () => canList({ host: endpoint }))
await check('wrong-secret', async () => {
  for (const version of ['v1', 'v4']) {
    const error = await refusal(() => connect({ secret: 'wrong', version }).listShards(project, logstore))
    assert.deepEqual([codeOf(error), statusOf(error)], ['SignatureNotMatch', 401])
  }
})
await check('unknown-key', async () => {
  for (const version of ['v1', 'v4']) {
    const error = await refusal(() => connect({ id: 'nobody', version }).listShards(project, logstore))
    assert.deepEqual([codeOf(error), statusOf(error)], ['Unauthorized', 401])
  }
})

for (const codec of ['lz4', 'deflate', undefined]) {
  await check(`put-lb-${codec ?? 'identity'}`, async () => {
    const store = await makeLogstore(`put-${codec ?? 'identity'}`, 1)
    const sent = encodeGroup(groupOf({ codec: codec ?? 'none', text: 'again '.repeat(200) }))
    await put(client, project, store, sent, codec)
    // Hardly compressible, and longer than any buffer on the way.
    const noise = encodeGroup(groupOf({ noise: randomBytes(1 << 20).toString('hex') }))
    await put(client, project, store, noise, codec)
    const groups = sliceGroups((await readAll(store)).body)
    assert.deepEqual(groups[0], sent)
    assert.ok(groups.length === 2 && groups[1].equals(noise))
  })
}
await check('put-tags', async () => {
  const store = await makeLogstore('put-tags', 1)
  const group = groupOf({ level: 'warn' }, { Topic: 't', Source: '10.0.0.1', LogTags: [{ Key: 'host', Value: 'h1' }] })
  group.Logs[0].TimeNs = 123_456_789
  await put(client, project, store, encodeGroup(group), 'lz4')
  assert.deepEqual(decodeGroups((await readAll(store)).body), [group])
})
await check('put-bytes', async () => {
  const store = await makeLogstore('put-bytes', 1)
  const sent = encodeGroup(groupOf({ value: 'ABCD' }))
  sent.set([0xff, 0xfe, 0x00, 0xc0], sent.indexOf('ABCD'))
  await put(client, project, store, sent, 'lz4')
  assert.deepEqual(sliceGroups((await readAll(store)).body), [sent])
})

const counted = await makeLogstore('counted', 1).catch((error) => String(error))
const countedAt = seconds()
await check('count-groups', async () => {
  for (let i = 0; i < 25; i++) await send(counted, { n: String(i) })
  const { body, count } = await readAll(counted)
  assert.equal(count, 25)
  assert.deepEqual(
    decodeGroups(body).map((group) => fieldsOf(group)[0].n),
    Array.from({ length: 25 }, (_, i) => String(i)),
  )
})
await check('cursors-dense', async () => {
  let cursor = await from(counted, 0, 'begin')
  for (let i = 0; i < 25; i++) {
    const { next, count } = await read(counted, 0, { cursor, count: 1 })
    assert.equal(count, 1)
    assert.equal(number(next), number(cursor) + 1n)
    cursor = next
  }
  assert.equal(cursor, await from(counted, 0, 'end'))
})
await check('cursor-begin', async () => {
  const { body } = await read(counted, 0, { cursor: await from(counted, 0, 'begin'), count: 1 })
  assert.deepEqual(fieldsOf(decodeGroups(body)[0]), [{ n: '0' }])
})
await check('cursor-end', async () => {
  const store = await makeLogstore('cursor-end', 1)
  await send(store, { n: 'before' })
  const cursor = await from(store, 0, 'end')
  assert.equal((await read(store, 0, { cursor, count: 10 })).count, 0)
  await send(store, { n: 'after' })
  assert.deepEqual(decodeGroups((await read(store, 0, { cursor, count: 10 })).body).map(fieldsOf), [[{ n: 'after' }]])
})
await check('cursor-by-time', async () => {
  assert.equal(await from(counted, 0, countedAt - 3_600), await from(counted, 0, 'begin'))
  assert.equal(await from(counted, 0, countedAt + 3_600), await from(counted, 0, 'end'))
})
await check('cursor-time', async () => {
  const timeOf = async (cursor) => {
    const { body } = await client.getCursorTime(project, counted, '0', new models.GetCursorTimeRequest({ cursor }))
    return body.cursorTime
  }
  const first = await timeOf(await from(counted, 0, 'begin'))
  assert.ok(Math.abs(first - countedAt) <= 10, `${first} for a put at ${countedAt}`)
  const last = await timeOf(await from(counted, 0, 'end'))
  assert.ok(Math.abs(last - seconds()) <= 2, `${last} now at ${seconds()}`)
})
await check('end-cursor', async () => {
  const cursor = await from(counted, 0, 'begin')
  const end = text(number(cursor) + 7n)
  const { count, next } = await read(counted, 0, { cursor, end_cursor: end, count: 1000 })
  assert.deepEqual([count, next], [7, end])
})

for (const codec of ['lz4', 'deflate', '']) {
  await check(`pull-${codec || 'identity'}`, async () => {
    const { body, count, headers } = await readAll(counted, 0, codec)
    assert.equal(count, 25)
    assert.equal(headers['x-log-compresstype'] ?? '', codec)
    assert.equal(Number(headers['x-log-bodyrawsize']), body.length)
    assert.equal(decodeGroups(body).length, 25)
  })
}
await check('pull-empty', async () => {
  const cursor = await from(counted, 0, 'end')
  for (const codec of ['lz4', '']) {
    const { headers, next, count } = await read(counted, 0, { cursor, count: 10 }, codec)
    assert.deepEqual([count, next, headers['x-log-bodyrawsize']], [0, cursor, '0'])
    assert.equal(headers['x-log-end-of-cursor'], '1')
  }
})
await check('pull-count', async () => {
  const cursor = await from(counted, 0, 'begin')
  const { count, next } = await read(counted, 0, { cursor, count: 3 })
  assert.deepEqual([count, number(next)], [3, number(cursor) + 3n])
})
await check('pull-query', async () => {
  const store = await makeLogstore('queried', 1)
  for (const level of ['info', 'error', 'info', 'error']) await send(store, { level })
  const cursor = await from(store, 0, 'begin')
  const { body, next } = await read(store, 0, { cursor, count: 10, query: 'level: error' })
  assert.deepEqual(decodeGroups(body).flatMap(fieldsOf), [{ level: 'error' }, { level: 'error' }])
  assert.equal(next, await from(store, 0, 'end'))
})

const middle = `8${'0'.repeat(31)}`
await check('list-shards', async () => {
  const shards = await shardsOf(logstore)
  assert.deepEqual(
    shards.map(({ shardID, status, inclusiveBeginKey, exclusiveEndKey }) => [
      shardID,
      status,
      inclusiveBeginKey,
      exclusiveEndKey,
    ]),
    [
      [0, 'readwrite', '0'.repeat(32), middle],
      [1, 'readwrite', middle, 'f'.repeat(32)],
    ],
  )
  for (const { createTime } of shards) assert.ok(Math.abs(createTime - seconds()) < 600)
})
const summary = (shards) => shards.map(({ shardID, status }) => `${shardID} ${status}`)
const split = async (store, shard, more) =>
  (await client.splitShard(project, store, String(shard), new models.SplitShardRequest(more))).body
let endOfSplit
await check('split', async () => {
  const store = await makeLogstore('split', 1)
  for (const n of ['1', '2', '3']) await send(store, { n })
  const answer = await split(store, 0, {})
  endOfSplit = await from(store, 0, 'end')
  assert.deepEqual(summary(answer), ['0 readonly', '1 readwrite', '2 readwrite'])
  assert.equal(answer[1].exclusiveEndKey, answer[2].inclusiveBeginKey)
  assert.deepEqual(summary(await shardsOf(store)), summary(answer))
})
await check('read-only-readable', async () => {
  const { body, next } = await readAll('split')
  assert.deepEqual(
    decodeGroups(body).flatMap(fieldsOf),
    ['1', '2', '3'].map((n) => ({ n })),
  )
  assert.equal(next, endOfSplit)
})
await check('read-only-end', async () => {
  await send('split', { n: '4' })
  assert.equal(await from('split', 0, 'end'), endOfSplit)
})
await check('merge', async () => {
  const { body } = await client.mergeShard(project, 'split', '1')
  assert.deepEqual(summary(body), ['3 readwrite', '1 readonly', '2 readonly'])
  assert.deepEqual([body[0].inclusiveBeginKey, body[0].exclusiveEndKey], ['0'.repeat(32), 'f'.repeat(32)])
})
await check('split-at-key', async () => {
  const border = `4${'0'.repeat(31)}`
  const answer = await split(await makeLogstore('split-at-key', 1), 0, { key: border })
  assert.deepEqual([answer[1].exclusiveEndKey, answer[2].inclusiveBeginKey], [border, border])
})
await check('split-count', async () => {
  const answer = await split(await makeLogstore('split-count', 1), 0, { shardCount: 3 })
  assert.deepEqual(summary(answer), ['0 readonly', '1 readwrite', '2 readwrite', '3 readwrite'])
})

const makeGroup = (store, consumerGroup, timeout = 60, order = false) =>
  client.createConsumerGroup(project, store, new models.CreateConsumerGroupRequest({ consumerGroup, timeout, order }))
const groupsOf = async (store) =>
  (await client.listConsumerGroup(project, store)).body.map(({ name: called, timeout, order }) => [
    called,
    timeout,
    order,
  ])
const beat = async (store, group, consumer, listed) =>
  [
    ...(
      await client.consumerGroupHeartBeat(
        project,
        store,
        group,
        new models.ConsumerGroupHeartBeatRequest({ consumer, body: listed }),
      )
    ).body,
  ].sort()
const commit = (store, group, more) =>
  client.consumerGroupUpdateCheckPoint(project, store, group, new models.ConsumerGroupUpdateCheckPointRequest(more))
const checkpointsOf = async (store, group, more = {}) =>
  (await client.getCheckPoint(project, store, group, new models.GetCheckPointRequest(more))).body

await makeLogstore('groups', 2).catch(String)
await check('group-create', () => makeGroup('groups', 'g1', 60, true))
await check('group-create-twice', async () => {
  assert.equal(codeOf(await refusal(() => makeGroup('groups', 'g1'))), 'ConsumerGroupAlreadyExist')
})
await check('group-list', async () => assert.deepEqual(await groupsOf('groups'), [['g1', 60, true]]))
await check('group-update', async () => {
  const request = new models.UpdateConsumerGroupRequest({ timeout: 40, order: false })
  await client.updateConsumerGroup(project, 'groups', 'g1', request)
  assert.deepEqual(await groupsOf('groups'), [['g1', 40, false]])
})
await check('group-delete', async () => {
  await makeGroup('groups', 'g2')
  await client.deleteConsumerGroup(project, 'groups', 'g2')
  assert.deepEqual(await groupsOf('groups'), [['g1', 40, false]])
})
await check('checkpoint-empty', async () => {
  const entries = await checkpointsOf('groups', 'g1')
  assert.deepEqual(
    entries.map(({ shard, checkpoint }) => [shard, checkpoint]),
    [
      [0, ''],
      [1, ''],
    ],
  )
  for (const { updateTime } of entries) assert.equal(typeof updateTime, 'number')
})
await check('checkpoint-set', async () => {
  const checkpoint = await from('groups', 1, 'end')
  await commit('groups', 'g1', { shard: 1, checkpoint, consumer: 'c 1', forceSuccess: true })
  const entry = (await checkpointsOf('groups', 'g1')).find(({ shard }) => shard === 1)
  assert.deepEqual([entry.checkpoint, entry.consumer], [checkpoint, 'c 1'])
  assert.ok(Math.abs(entry.updateTime / 1e6 - seconds()) < 10, `${entry.updateTime} is not in microseconds`)
})
await check('checkpoint-one-shard', async () => {
  const checkpoint = await from('groups', 1, 'end')
  const shown = async (shard) =>
    (await checkpointsOf('groups', 'g1', { shard })).map((entry) => [entry.shard, entry.checkpoint])
  assert.deepEqual(await shown(1), [[1, checkpoint]])
  assert.deepEqual(await shown(0), [[0, '']])
})
await check('checkpoint-of-owner', async () => {
  await makeGroup('groups', 'owned')
  assert.deepEqual(await beat('groups', 'owned', 'owner', []), [0, 1])
  const checkpoint = await from('groups', 0, 'end')
  await commit('groups', 'owned', { shard: 0, checkpoint, consumer: 'owner', forceSuccess: false })
  const unknown = await refusal(() =>
    commit('groups', 'owned', { shard: 0, checkpoint, consumer: 'x', forceSuccess: false }),
  )
  assert.equal(codeOf(unknown), 'ConsumerNotExist')
  await beat('groups', 'owned', 'second', [])
  const other = await refusal(() =>
    commit('groups', 'owned', { shard: 0, checkpoint, consumer: 'second', forceSuccess: false }),
  )
  assert.equal(codeOf(other), 'ConsumerNotMatch')
})
await check('heartbeat', async () => {
  await makeGroup('groups', 'beat')
  assert.deepEqual(await beat('groups', 'beat', 'c1', []), [0, 1])
  assert.deepEqual(await beat('groups', 'beat', 'c1', [0, 1]), [0, 1])
})
await check('heartbeat-transfer', async () => {
  await makeGroup('groups', 'move')
  assert.deepEqual(await beat('groups', 'move', 'c1', []), [0, 1])
  assert.deepEqual(await beat('groups', 'move', 'c2', []), [])
  const kept = await beat('groups', 'move', 'c1', [0, 1])
  assert.equal(kept.length, 1)
  assert.deepEqual(await beat('groups', 'move', 'c2', []), [])
  assert.deepEqual(await beat('groups', 'move', 'c1', kept), kept)
  assert.deepEqual(await beat('groups', 'move', 'c2', []), [1 - kept[0]])
})
await check('heartbeat-expiry', async () => {
  await makeGroup('groups', 'expire', 2)
  assert.deepEqual(await beat('groups', 'expire', 'c1', []), [0, 1])
  let got = []
  for (let i = 0; i < 8 && got.length < 2; i++) {
    got = await beat('groups', 'expire', 'c2', got)
    await sleep(500)
  }
  assert.deepEqual(got, [0, 1])
})
await check('heartbeat-order', async () => {
  const store = await makeLogstore('ordered', 1)
  await makeGroup(store, 'order', 60, true)
  await send(store, { n: '1' })
  await split(store, 0, {})
  assert.deepEqual(await beat(store, 'order', 'c1', []), [0])
  const checkpoint = await from(store, 0, 'end')
  await commit(store, 'order', { shard: 0, checkpoint, consumer: 'c1', forceSuccess: true })
  assert.deepEqual(await beat(store, 'order', 'c1', [0]), [1, 2])
})

await check('unknown-project', async () => {
  const error = await refusal(() => client.listShards(name('nowhere'), logstore))
  assert.deepEqual([codeOf(error), statusOf(error)], ['ProjectNotExist', 404])
})
await check('unknown-logstore', async () => {
  const error = await refusal(() => client.listShards(project, 'nowhere'))
  assert.deepEqual([codeOf(error), statusOf(error)], ['LogStoreNotExist', 404])
})
await check('unknown-shard', async () => {
  assert.equal(codeOf(await refusal(() => from(logstore, 77, 'begin'))), 'ShardNotExist')
})
await check('unknown-group', async () => {
  assert.equal(codeOf(await refusal(() => beat(logstore, 'nobody', 'c1', []))), 'ConsumerGroupNotExist')
})
await check('bad-cursor', async () => {
  const cut = (await from(counted, 0, 'begin')).slice(10)
  assert.equal(codeOf(await refusal(() => read(counted, 0, { cursor: cut, count: 1 }))), 'ParameterInvalid')
})
await check('cursor-out-of-range', async () => {
  const beyond = text(number(await from(counted, 0, 'end')) + 5n)
  assert.equal(codeOf(await refusal(() => read(counted, 0, { cursor: beyond, count: 1 }))), 'InvalidCursor')
})
await check('error-parts', async () => {
  const error = await refusal(() => client.getLogStore(project, 'nowhere'))
  assert.equal(error.code, 'LogStoreNotExist')
  assert.match(error.message, /logstore nowhere does not exist/)
  assert.equal(statusOf(error), 404)
  assert.match(error.data.requestId, /^[0-9A-F]{24}$/)
})

// Its sockets would keep the process for a minute.
process.exit(0)
