import type { HttpResponse } from '../core/index.ts'
import { emptyAnswer, jsonAnswer } from './answers.ts'
import { type Call, objectBody } from './call.ts'
import { logstoreOf } from './places.ts'
import { Refusal } from './refusal.ts'
import type { ServiceCore } from './service-core.ts'

const indexNotExist = (): Refusal => new Refusal(404, 'IndexConfigNotExist', 'logstore without index config')

const placeOf = (call: Call, logstore: string) => ({ project: call.project ?? '', logstore }) as const

/** An index is kept and given back as it came; nothing is indexed. */
export const setIndex = async (
  core: ServiceCore,
  call: Call,
  logstoreName: string,
  expected: 'absent' | 'present',
): Promise<HttpResponse> => {
  logstoreOf(core.state, call, logstoreName)
  const config = objectBody(call, 'ParameterInvalid')
  await core.change(() => {
    const { index } = logstoreOf(core.state, call, logstoreName)
    if (expected === 'present' && index === undefined) throw indexNotExist()
    if (expected === 'absent' && index !== undefined)
      throw new Refusal(400, 'IndexAlreadyExist', 'log store index is already created')
    return { fact: { kind: 'index-set', ...placeOf(call, logstoreName), config, seconds: core.nowSeconds() } }
  })
  return emptyAnswer()
}

export const getIndex = (core: ServiceCore, call: Call, logstoreName: string): HttpResponse => {
  const { index } = logstoreOf(core.state, call, logstoreName)
  if (index === undefined) throw indexNotExist()
  return jsonAnswer({ index_mode: 'v2', ttl: 30, ...index.config, lastModifyTime: index.modifySeconds })
}

export const deleteIndex = async (core: ServiceCore, call: Call, logstoreName: string): Promise<HttpResponse> => {
  await core.change(() => {
    if (logstoreOf(core.state, call, logstoreName).index === undefined) throw indexNotExist()
    return { fact: { kind: 'index-deleted', ...placeOf(call, logstoreName) } }
  })
  return emptyAnswer()
}
