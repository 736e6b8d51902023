import type { HttpResponse } from '../core/index.ts'
import { evenRanges } from '../wire/index.ts'
import { emptyAnswer, jsonAnswer } from './answers.ts'
import { type Call, integerParameter, objectBody } from './call.ts'
import type { JsonObject } from './facts.ts'
import { isLogstoreName } from './names.ts'
import { logstoreOf, projectOf } from './places.ts'
import { Refusal, tooMany } from './refusal.ts'
import type { ServiceCore } from './service-core.ts'
import { countShards, type Logstore } from './service-state.ts'

const infoInvalid = (message: string): Refusal => new Refusal(400, 'LogStoreInfoInvalid', message)

const ttlDaysMax = 3650
const defaultShards = 2

const checkInteger = (config: JsonObject, name: string, least: number, most: number): void => {
  const value = config[name]
  if (value === undefined) return
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    throw infoInvalid(`${name} must be within range [${least}, ${most}]`)
}

/** What the service acts on must make sense; keys it does not know are kept (SLS protocol paper, §8.2). */
const checkConfig = (config: JsonObject, shardsMax: number): void => {
  checkInteger(config, 'ttl', 1, ttlDaysMax)
  checkInteger(config, 'shardCount', 1, shardsMax)
  // Java's default is autoSplit false with maxSplitShard -1.
  if (config['autoSplit'] === true) checkInteger(config, 'maxSplitShard', 1, 256)
  for (const name of ['enable_tracking', 'appendMeta', 'autoSplit']) {
    const value = config[name]
    if (value !== undefined && typeof value !== 'boolean') throw infoInvalid(`${name} must be true or false`)
  }
}

const logstoreJson = (logstore: Logstore): JsonObject => ({
  ttl: 30,
  enable_tracking: false,
  autoSplit: false,
  maxSplitShard: 64,
  appendMeta: false,
  mode: 'standard',
  telemetryType: '',
  productType: '',
  ...logstore.config,
  logstoreName: logstore.name,
  shardCount: [...logstore.shards.values()].filter(({ status }) => status === 'readwrite').length,
  createTime: logstore.createSeconds,
  lastModifyTime: logstore.modifySeconds,
})

export const createLogstore = async (core: ServiceCore, call: Call): Promise<HttpResponse> => {
  projectOf(core.state, call)
  const { limits } = core.settings
  const { logstoreName: name, ...config } = objectBody(call, 'LogStoreInfoInvalid')
  if (typeof name !== 'string' || !isLogstoreName(name))
    throw infoInvalid(`logstore name ${typeof name === 'string' ? name.slice(0, 128) : ''} is invalid`)
  checkConfig(config, limits.shardsAtOnce)
  const shardCount = typeof config['shardCount'] === 'number' ? config['shardCount'] : defaultShards
  await core.change(() => {
    const project = projectOf(core.state, call)
    if (project.logstores.has(name)) throw new Refusal(400, 'LogStoreAlreadyExist', `logstore ${name} already exists`)
    if (project.logstores.size >= limits.logstoresPerProject)
      throw tooMany('logstores in a project', limits.logstoresPerProject)
    if (countShards(core.state) + shardCount > limits.shards) throw tooMany('shards', limits.shards)
    return {
      fact: {
        kind: 'logstore-created',
        project: project.name,
        logstore: name,
        config,
        seconds: core.nowSeconds(),
        shards: core.newShards(undefined, evenRanges(shardCount)),
      },
    }
  })
  return emptyAnswer()
}

export const updateLogstore = async (core: ServiceCore, call: Call, name: string): Promise<HttpResponse> => {
  logstoreOf(core.state, call, name)
  const { logstoreName: _, shardCount: __, ...changed } = objectBody(call, 'LogStoreInfoInvalid')
  checkConfig(changed, core.settings.limits.shardsAtOnce)
  await core.change(() => {
    const { config } = logstoreOf(core.state, call, name)
    const place = { project: projectOf(core.state, call).name, logstore: name }
    const fact = { kind: 'logstore-updated', ...place, config: { ...config, ...changed } } as const
    return { fact: { ...fact, seconds: core.nowSeconds() } }
  })
  return emptyAnswer()
}

export const deleteLogstore = async (core: ServiceCore, call: Call, name: string): Promise<HttpResponse> => {
  await core.change(() => {
    const shards = [...logstoreOf(core.state, call, name).shards.values()]
    const place = { project: projectOf(core.state, call).name, logstore: name }
    return {
      fact: { kind: 'logstore-deleted', ...place, cursorFloor: core.cursorFloorOf(shards) },
      closing: shards,
    }
  })
  await core.dropDoomed()
  return emptyAnswer()
}

export const getLogstore = (core: ServiceCore, call: Call, name: string): HttpResponse =>
  jsonAnswer(logstoreJson(logstoreOf(core.state, call, name)))

/** By name, so that pages do not shift when logstores come and go before them. */
export const listLogstores = (core: ServiceCore, call: Call): HttpResponse => {
  const wanted = call.query.get('logstoreName') ?? ''
  const [telemetryType, mode] = [call.query.get('telemetryType'), call.query.get('mode')]
  const found = [...projectOf(core.state, call).logstores.values()]
    .filter(({ name }) => name.includes(wanted))
    .map(logstoreJson)
    .filter((one) => telemetryType === undefined || (one['telemetryType'] || 'None') === telemetryType)
    .filter((one) => mode === undefined || one['mode'] === mode)
    .map((one) => String(one['logstoreName']))
    .sort()
  const offset = integerParameter(call, 'offset', 0)
  const logstores = found.slice(offset, offset + integerParameter(call, 'size', 100))
  return jsonAnswer({ count: logstores.length, total: found.length, logstores })
}
