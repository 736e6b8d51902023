import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SlsClient } from '../../../../src/connectors/sls/index.ts'
import { OptionsError } from '../../../../src/core/index.ts'
import { benchOf, bytesOf, emptyOk, jsonOk } from './bench.ts'

const range = (id: number, begin: string, end: string, status = 'readwrite') => ({
  shardID: id,
  status,
  inclusiveBeginKey: begin.padEnd(32, '0'),
  exclusiveEndKey: end.padEnd(32, end === 'f' ? 'f' : '0'),
  createTime: 1772510000,
  serverIp: '',
})

const project = {
  projectName: 'demo-project',
  description: 'd',
  status: 'Normal',
  owner: '',
  region: 'cn-test',
  createTime: '1772510706',
  lastModifyTime: '1772510706',
  resourceGroupId: '',
  quota: { shard: 400 },
}

const projectInfo = {
  name: 'demo-project',
  description: 'd',
  status: 'Normal',
  owner: '',
  region: 'cn-test',
  createTime: '1772510706',
  lastModifyTime: '1772510706',
}

const logstore = {
  logstoreName: 'ls1',
  ttl: 30,
  shardCount: 2,
  enable_tracking: false,
  autoSplit: false,
  maxSplitShard: 64,
  appendMeta: true,
  createTime: 1772510000,
  lastModifyTime: 1772510001,
  mode: 'standard',
}

interface Case {
  readonly name: string
  readonly call: (client: SlsClient) => Promise<unknown>
  /** Method and target. */
  readonly line: string
  readonly body?: unknown
  readonly answer?: unknown
  readonly result?: unknown
}

const cases: readonly Case[] = [
  {
    name: 'create project',
    call: (c) => c.projects.create({ description: 'd' }),
    line: 'POST /',
    body: { projectName: 'demo-project', description: 'd' },
  },
  { name: 'get project', call: (c) => c.projects.get(), line: 'GET /', answer: project, result: projectInfo },
  {
    name: 'update project',
    call: (c) => c.projects.update({ description: 'e' }),
    line: 'PUT /',
    body: { projectName: 'demo-project', description: 'e' },
  },
  { name: 'delete project', call: (c) => c.projects.delete(), line: 'DELETE /' },
  {
    name: 'list projects',
    call: (c) => c.projects.list({ size: 10, nameFilter: 'demo' }),
    line: 'GET /?offset=0&size=10&projectName=demo',
    answer: { count: 1, total: 1, projects: [project] },
    result: { count: 1, total: 1, projects: [projectInfo] },
  },
  {
    name: 'create logstore',
    call: (c) => c.logstores.create('ls1', { ttlDays: 7, shardCount: 3, more: { mode: 'query' } }),
    line: 'POST /logstores',
    body: {
      logstoreName: 'ls1',
      ttl: 7,
      shardCount: 3,
      enable_tracking: false,
      autoSplit: false,
      maxSplitShard: 64,
      appendMeta: false,
      mode: 'query',
    },
  },
  {
    name: 'get logstore',
    call: (c) => c.logstores.get('ls1'),
    line: 'GET /logstores/ls1',
    answer: logstore,
    result: {
      name: 'ls1',
      ttlDays: 30,
      shardCount: 2,
      autoSplit: false,
      maxSplitShard: 64,
      appendMeta: true,
      webTracking: false,
      createTime: 1772510000,
      lastModifyTime: 1772510001,
    },
  },
  {
    name: 'update logstore',
    call: (c) => c.logstores.update('ls1', { ttlDays: 3650 }),
    line: 'PUT /logstores/ls1',
    body: {
      logstoreName: 'ls1',
      ttl: 3650,
      shardCount: 2,
      enable_tracking: false,
      autoSplit: false,
      maxSplitShard: 64,
      appendMeta: false,
    },
  },
  { name: 'delete logstore', call: (c) => c.logstores.delete('ls1'), line: 'DELETE /logstores/ls1' },
  {
    name: 'list logstores',
    call: (c) => c.logstores.list({ offset: 100 }),
    line: 'GET /logstores?offset=100&size=100',
    answer: { count: 1, total: 101, logstores: ['ls1'] },
    result: { count: 1, total: 101, logstores: ['ls1'] },
  },
  {
    name: 'list shards',
    call: (c) => c.shards.list('ls1'),
    line: 'GET /logstores/ls1/shards',
    answer: [range(0, '0', '8', 'readonly'), range(1, '8', 'f')],
    result: [
      { id: 0, status: 'readonly', beginKey: '0'.repeat(32), endKey: '8'.padEnd(32, '0'), createTime: 1772510000 },
      { id: 1, status: 'readwrite', beginKey: '8'.padEnd(32, '0'), endKey: 'f'.repeat(32), createTime: 1772510000 },
    ],
  },
  {
    name: 'split in the middle',
    call: (c) => c.shards.split('ls1', 1),
    line: 'POST /logstores/ls1/shards/1?action=split',
    answer: [],
    result: [],
  },
  {
    name: 'split at a key',
    call: (c) => c.shards.split('ls1', 1, { key: 'C' }),
    line: `POST /logstores/ls1/shards/1?action=split&key=${'c'.padEnd(32, '0')}`,
    answer: [],
    result: [],
  },
  {
    name: 'split into three',
    call: (c) => c.shards.split('ls1', 1, { count: 3 }),
    line: 'POST /logstores/ls1/shards/1?action=split&shardCount=3',
    answer: [],
    result: [],
  },
  {
    name: 'merge',
    call: (c) => c.shards.merge('ls1', 0),
    line: 'POST /logstores/ls1/shards/0?action=merge',
    answer: [],
    result: [],
  },
  { name: 'delete shard', call: (c) => c.shards.delete('ls1', 0), line: 'DELETE /logstores/ls1/shards/0' },
  {
    name: 'cursor of the beginning',
    call: (c) => c.shards.cursor('ls1', 0, 'begin'),
    line: 'GET /logstores/ls1/shards/0?type=cursor&from=begin',
    answer: { cursor: 'MTcyOTA3MDYxODQyODA0NDY1NQ==' },
    result: 1729070618428044655n,
  },
  {
    name: 'cursor of a time',
    call: (c) => c.shards.cursor('ls1', 0, { seconds: 1772510000 }),
    line: 'GET /logstores/ls1/shards/0?type=cursor&from=1772510000',
    answer: { cursor: 'MA' },
    result: 0n,
  },
  {
    name: 'cursor time',
    call: (c) => c.shards.cursorTime('ls1', 0, 1729070618428044655n),
    line: 'GET /logstores/ls1/shards/0?type=cursor_time&cursor=MTcyOTA3MDYxODQyODA0NDY1NQ%3D%3D',
    answer: { cursor_time: 1729070618 },
    result: 1729070618,
  },
  {
    name: 'create consumer group',
    call: (c) => c.consumerGroups.create('ls1', 'cg'),
    line: 'POST /logstores/ls1/consumergroups',
    body: { consumerGroup: 'cg', timeout: 60, order: false },
  },
  {
    name: 'update consumer group',
    call: (c) => c.consumerGroups.update('ls1', 'cg', { timeoutSeconds: 40 }),
    line: 'PUT /logstores/ls1/consumergroups/cg',
    body: { timeout: 40 },
  },
  {
    name: 'delete consumer group',
    call: (c) => c.consumerGroups.delete('ls1', 'cg'),
    line: 'DELETE /logstores/ls1/consumergroups/cg',
  },
  {
    name: 'list consumer groups',
    call: (c) => c.consumerGroups.list('ls1'),
    line: 'GET /logstores/ls1/consumergroups',
    answer: [{ name: 'g', timeout: 60, order: true }],
    result: [{ name: 'g', timeoutSeconds: 60, ordered: true }],
  },
  {
    name: 'heartbeat',
    call: (c) => c.consumerGroups.heartbeat('ls1', 'cg', 'c 1', [0, 1]),
    line: 'POST /logstores/ls1/consumergroups/cg?type=heartbeat&consumer=c%201',
    body: [0, 1],
    answer: [1],
    result: [1],
  },
  {
    name: 'checkpoint of nobody',
    call: (c) => c.consumerGroups.updateCheckpoint('ls1', 'cg', { shard: 0, position: 0n }),
    line: 'POST /logstores/ls1/consumergroups/cg?type=checkpoint&consumer=&forceSuccess=true',
    body: { shard: 0, checkpoint: 'MA==' },
  },
  {
    name: 'checkpoint of an owner',
    call: (c) =>
      c.consumerGroups.updateCheckpoint('ls1', 'cg', { shard: 3, position: 0n, consumer: 'c1', force: false }),
    line: 'POST /logstores/ls1/consumergroups/cg?type=checkpoint&consumer=c1&forceSuccess=false',
    body: { shard: 3, checkpoint: 'MA==' },
  },
  {
    name: 'get all checkpoints',
    call: (c) => c.consumerGroups.checkpoints('ls1', 'cg'),
    line: 'GET /logstores/ls1/consumergroups/cg',
    answer: [
      { shard: 0, checkpoint: 'MA==', updateTime: 1772510706123456, consumer: 'c1' },
      { shard: 1, checkpoint: '', updateTime: 0 },
    ],
    result: [
      { shard: 0, text: 'MA==', position: 0n, updatedUs: 1772510706123456, consumer: 'c1' },
      { shard: 1, text: '', position: undefined, updatedUs: 0, consumer: '' },
    ],
  },
  {
    name: 'get one checkpoint',
    call: (c) => c.consumerGroups.checkpoints('ls1', 'cg', { shard: 1 }),
    line: 'GET /logstores/ls1/consumergroups/cg?shard=1',
    answer: [],
    result: [],
  },
  {
    name: 'create index',
    call: (c) => c.logstores.createIndex('ls1', { line: { token: [' '] } }),
    line: 'POST /logstores/ls1/index',
    body: { line: { token: [' '] } },
  },
  {
    name: 'update index',
    call: (c) => c.logstores.updateIndex('ls1', { ttl: 7 }),
    line: 'PUT /logstores/ls1/index',
    body: { ttl: 7 },
  },
  {
    name: 'get index',
    call: (c) => c.logstores.getIndex('ls1'),
    line: 'GET /logstores/ls1/index',
    answer: { ttl: 7, keys: {} },
    result: { ttl: 7, keys: {} },
  },
  { name: 'delete index', call: (c) => c.logstores.deleteIndex('ls1'), line: 'DELETE /logstores/ls1/index' },
]

describe.each(cases)('$name', ({ call, line, body, answer, result }) => {
  test('is the documented request, and its answer is read', async () => {
    const { client, sent, run } = benchOf([answer === undefined ? emptyOk : jsonOk(answer)])
    expect(await run(call(client))).toEqual(result)
    expect(sent).toHaveLength(1)
    const [request] = sent
    expect(`${request?.method} ${request?.target}`).toBe(line)
    const text = new TextDecoder().decode(request?.body)
    expect(text === '' ? undefined : JSON.parse(text)).toEqual(body)
    expect(request?.headers).toMatchObject({
      'x-log-apiversion': '0.6.0',
      'x-log-bodyrawsize': String(request?.body.length),
      'x-log-signaturemethod': 'hmac-sha1',
      date: 'Tue, 03 Mar 2026 04:05:06 GMT',
      'user-agent': 'millrace',
    })
    expect(request?.headers['content-type']).toBe(body === undefined ? undefined : 'application/json')
    expect(request?.headers['authorization']).toMatch(/^LOG testAccessKeyId:[A-Za-z0-9+/]{27}=$/)
  })

  test('goes to the host of the project, or to the endpoint itself for all projects', async () => {
    const { client, sent, run } = benchOf([answer === undefined ? emptyOk : jsonOk(answer)])
    await run(call(client))
    const host = line.startsWith('GET /?')
      ? 'cn-hangzhou.log.aliyuncs.com'
      : 'demo-project.cn-hangzhou.log.aliyuncs.com'
    expect(sent[0]).toMatchObject({ origin: `https://${host}`, headers: { host } })
  })

  test('nonsense for an answer is an error of its own', async () => {
    const nonsense = answer === undefined ? [''] : ['', '<html>', '{}', '[{}]', '[1.5]', '"x"', 'null', '[[', '\xff']
    for (const text of nonsense) {
      const plain = { status: 200, headers: {}, body: bytesOf(text) }
      const { client, failure } = benchOf([plain], { retry: { attempts: 1 } })
      if (isIndex(line) && (text === '{}' || text === '[{}]')) continue
      expect((await failure(call(client))).class).toBe('answer-invalid')
    }
  })
})

test('any JSON for an answer is read or refused, and never anything else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...cases), fc.jsonValue({ maxDepth: 3 }), async ({ call }, value) => {
      const { client, run } = benchOf([jsonOk(value)], { retry: { attempts: 1 } })
      const outcome: unknown = await run(call(client)).catch((error: unknown) => error)
      if (outcome instanceof Error) expect(outcome).toMatchObject({ class: 'answer-invalid' })
    }),
  )
})

/** An index may be any object. */
const isIndex = (line: string): boolean => line === 'GET /logstores/ls1/index'

test('names that cannot be are refused before anything is sent', async () => {
  const { client, sent } = benchOf([emptyOk])
  const wrong = ['', 'a', 'A1', '../x', 'a/b', 'a?b', 'a b', 'é1', 'a'.repeat(81), '-a', 'a\n']
  for (const name of wrong) {
    await expect(client.shards.list(name)).rejects.toBeInstanceOf(OptionsError)
    await expect(client.logstores.create(name)).rejects.toBeInstanceOf(OptionsError)
  }
  for (const group of ['', 'a b', '../x', 'a'.repeat(129)]) {
    await expect(client.consumerGroups.create('ls1', group)).rejects.toBeInstanceOf(OptionsError)
    await expect(client.consumerGroups.delete('ls1', group)).rejects.toBeInstanceOf(OptionsError)
  }
  for (const shard of [-1, 1.5, Number.NaN, 2 ** 31]) {
    await expect(client.shards.merge('ls1', shard)).rejects.toBeInstanceOf(OptionsError)
  }
  await expect(client.shards.split('ls1', 0, { key: 'xyz' })).rejects.toBeInstanceOf(OptionsError)
  await expect(client.shards.cursor('ls1', 0, { seconds: 1.5 })).rejects.toBeInstanceOf(OptionsError)
  expect(sent).toHaveLength(0)
})

test('another project is reached with the same credentials', async () => {
  const { client, sent, run } = benchOf([jsonOk([])])
  await run(client.ofProject('other').shards.list('ls1'))
  await run(client.ofProject('third', 'https://ap.log.aliyuncs.com:8443').shards.list('ls1'))
  expect(sent.map(({ origin }) => origin)).toEqual([
    'https://other.cn-hangzhou.log.aliyuncs.com',
    'https://third.ap.log.aliyuncs.com:8443',
  ])
})

test('a client without a project makes only the calls about all projects', async () => {
  const { client, sent, run } = benchOf([jsonOk({ count: 0, total: 0, projects: [] })], { project: undefined })
  await run(client.projects.list())
  await expect(client.shards.list('ls1')).rejects.toBeInstanceOf(OptionsError)
  expect(sent).toHaveLength(1)
})
