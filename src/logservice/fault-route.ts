import type { HttpResponse } from '../core/index.ts'
import { emptyAnswer, jsonAnswer } from './answers.ts'
import { type Call, jsonBody } from './call.ts'
import { type FaultRules, faultRuleProblems, isFaultRule } from './fault-rules.ts'
import { methodInvalid, parameterInvalid, Refusal, tooMany } from './refusal.ts'
import { routeNames } from './routes.ts'

/** Where faults are asked for; nothing of the real service is there. */
export const isFaultCall = (call: Call): boolean => call.segments[0] === '_millrace'

export const isLoopback = (address: string): boolean =>
  address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')

/**
 * `GET /_millrace/faults` lists the rules, `POST` adds one, `DELETE` clears all, `DELETE /_millrace/faults/{id}` one. For
 * callers on this machine only.
 */
export const answerFaultCall = (faults: FaultRules, call: Call): HttpResponse => {
  if (!isLoopback(call.peerAddress))
    throw new Refusal(403, 'ProjectForbidden', 'faults are made from this machine only')
  const [, name, id] = call.segments
  const { method } = call.request
  if (name !== 'faults' || call.segments.length > 3) throw methodInvalid(call.path)
  if (id !== undefined) {
    if (method !== 'DELETE') throw methodInvalid(call.path)
    if (!faults.remove(Number(id))) throw parameterInvalid(`there is no fault rule ${id.slice(0, 20)}`)
    return emptyAnswer()
  }
  if (method === 'GET') return jsonAnswer({ rules: faults.list(), routes: routeNames })
  if (method === 'DELETE') {
    faults.clear()
    return emptyAnswer()
  }
  if (method !== 'POST') throw methodInvalid(call.path)
  const rule = jsonBody(call, 'ParameterInvalid')
  if (!isFaultRule(rule)) throw parameterInvalid(faultRuleProblems(rule).join('; '))
  if (rule.route !== undefined && !routeNames.includes(rule.route))
    throw parameterInvalid(`there is no route '${rule.route.slice(0, 40)}'; the names are ${routeNames.join(', ')}`)
  const added = faults.add(rule)
  if (added === undefined) throw tooMany('fault rules', 1000)
  return jsonAnswer({ id: added })
}
