/**
 * The driver of @alicloud/log. It can put but not read, so what it stored is read back through @alicloud/sls20201230; the
 * two share an HTTP library, so this one gets an agent of its own (protocol paper, §1.5).
 */
import assert from 'node:assert/strict'
import http from 'node:http'
import { check, endpoint, key, load, lookup, name, refusal, resolveEverywhere, temporaryKey } from './driver.mjs'
import { decodeGroups, fieldsOf, seconds } from './log-groups.mjs'
import { connect, cursorOf, pull } from './sls20201230-client.mjs'

resolveEverywhere()

const Client = load('@alicloud/log')
const options = { agent: new http.Agent({ keepAlive: true, lookup }) }
const open = ({ id = key.id, secret = key.secret, token } = {}) =>
  new Client({ endpoint, accessKeyId: id, accessKeySecret: secret, securityToken: token })

const client = open()
const reader = connect()
const project = name('n1')
const logstore = 'app'

const makeLogstore = async (store, shardCount) => {
  await client.createLogStore(project, store, { ttl: 3, shardCount }, options)
  return store
}
const send = (store, data, by = client) => by.postLogStoreLogs(project, store, data, options)
const logOf = (content) => ({ timestamp: seconds(), content })
const readAll = async (store) => {
  const cursor = await cursorOf(reader, project, store, 0, 'begin')
  const { body, count } = await pull(reader, project, store, 0, { cursor, count: 1000 })
  return { count, groups: decodeGroups(body) }
}

await check('create-project', async () => {
  await client.createProject(project, { description: 'by Node' }, options)
  const { projectName, description } = await client.getProject(project, options)
  assert.deepEqual([projectName, description], [project, 'by Node'])
})
await check('create-project-twice', async () => {
  const error = await refusal(() => client.createProject(project, { description: 'again' }, options))
  assert.equal(error.code, 'ProjectAlreadyExist')
})
await check('delete-project', async () => {
  const gone = name('n1-gone')
  await client.createProject(gone, { description: '' }, options)
  await client.deleteProject(gone, options)
  assert.equal((await refusal(() => client.getProject(gone, options))).code, 'ProjectNotExist')
})
await check('create-logstore', async () => {
  await makeLogstore(logstore, 2)
  const { logstoreName, ttl, shardCount } = await client.getLogStore(project, logstore, options)
  assert.deepEqual([logstoreName, ttl, shardCount], [logstore, 3, 2])
})
await check('create-logstore-twice', async () => {
  assert.equal((await refusal(() => makeLogstore(logstore, 2))).code, 'LogStoreAlreadyExist')
})
await check('update-logstore', async () => {
  await client.updateLogStore(project, logstore, { ttl: 9, shardCount: 2 }, options)
  assert.equal((await client.getLogStore(project, logstore, options)).ttl, 9)
})
await check('list-logstores', async () => {
  await makeLogstore('other', 1)
  const list = async (data) => (await client.listLogStore(project, data, options)).logstores
  assert.deepEqual([...(await list({}))].sort(), [logstore, 'other'])
  assert.deepEqual(await list({ logstoreName: 'oth', offset: 0, size: 10 }), ['other'])
})
await check('delete-logstore', async () => {
  await client.deleteLogStore(project, 'other', options)
  assert.equal((await refusal(() => client.getLogStore(project, 'other', options))).code, 'LogStoreNotExist')
})
await check('index-crud', async () => {
  await client.createIndex(project, logstore, { ttl: 7, line: { token: [' '], caseSensitive: false } }, options)
  assert.equal((await client.getIndexConfig(project, logstore, options)).line.caseSensitive, false)
  await client.updateIndex(project, logstore, { ttl: 7, line: { token: [','], caseSensitive: true } }, options)
  assert.equal((await client.getIndexConfig(project, logstore, options)).line.caseSensitive, true)
  await client.deleteIndex(project, logstore, options)
  assert.equal((await refusal(() => client.getIndexConfig(project, logstore, options))).code, 'IndexConfigNotExist')
})

const canUse = async (by) => {
  assert.equal((await by.getLogStore(project, logstore, options)).logstoreName, logstore)
  await send(logstore, { logs: [logOf({ a: 'b' })] }, by)
}
await check('auth-v1', () => canUse(client))
await check('auth-v1-sts', () => canUse(open(temporaryKey)))
await check('host-with-port', () => canUse(client))
await check('wrong-secret', async () => {
  const error = await refusal(() => open({ secret: 'wrong' }).getLogStore(project, logstore, options))
  assert.equal(error.code, 'SignatureNotMatch')
})
await check('unknown-key', async () => {
  const error = await refusal(() => open({ id: 'nobody' }).getLogStore(project, logstore, options))
  assert.equal(error.code, 'Unauthorized')
})

await check('put-lb-identity', async () => {
  const store = await makeLogstore('put-identity', 1)
  await send(store, { logs: [logOf({ n: '1' }), logOf({ n: '2', text: '你好' })] })
  const { groups } = await readAll(store)
  assert.deepEqual(groups.map(fieldsOf), [[{ n: '1' }, { n: '2', text: '你好' }]])
})
await check('put-tags', async () => {
  const store = await makeLogstore('put-tags', 1)
  const log = { ...logOf({ level: 'warn' }), timestampNsPart: 123_456_789 }
  await send(store, { logs: [log], tags: [{ host: 'h1' }], topic: 't', source: '10.0.0.1' })
  const { groups } = await readAll(store)
  assert.deepEqual(groups, [
    {
      Logs: [{ Time: log.timestamp, TimeNs: 123_456_789, Contents: [{ Key: 'level', Value: 'warn' }] }],
      Topic: 't',
      Source: '10.0.0.1',
      LogTags: [{ Key: 'host', Value: 'h1' }],
    },
  ])
})
await check('count-groups', async () => {
  const store = await makeLogstore('counted', 1)
  for (let i = 0; i < 25; i++) await send(store, { logs: [logOf({ n: String(i) })] })
  const { count, groups } = await readAll(store)
  assert.equal(count, 25)
  assert.deepEqual(
    groups.map((group) => fieldsOf(group)[0].n),
    Array.from({ length: 25 }, (_, i) => String(i)),
  )
})

await check('unknown-project', async () => {
  assert.equal((await refusal(() => client.listLogStore(name('nowhere'), {}, options))).code, 'ProjectNotExist')
})
await check('unknown-logstore', async () => {
  const error = await refusal(() => send('nowhere', { logs: [logOf({ a: 'b' })] }))
  assert.equal(error.code, 'LogStoreNotExist')
})
await check('error-parts', async () => {
  const error = await refusal(() => client.getLogStore(project, 'nowhere', options))
  assert.equal(error.code, 'LogStoreNotExist')
  assert.match(error.message, /logstore nowhere does not exist/)
  assert.match(error.requestid, /^[0-9A-F]{24}$/)
})

process.exit(0)
