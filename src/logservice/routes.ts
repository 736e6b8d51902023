import type { HttpResponse } from '../core/index.ts'
import type { Call } from './call.ts'
import { getCursor, getCursorTime } from './cursor-handler.ts'
import {
  createGroup,
  deleteGroup,
  heartbeat,
  listCheckpoints,
  listGroups,
  updateCheckpoint,
  updateGroup,
} from './group-handlers.ts'
import { deleteIndex, getIndex, setIndex } from './index-handlers.ts'
import { createLogstore, deleteLogstore, getLogstore, listLogstores, updateLogstore } from './logstore-handlers.ts'
import { createProject, deleteProject, getProjects, updateProject } from './project-handlers.ts'
import type { PullHandler } from './pull-handler.ts'
import { keyRoute, type PutHandler } from './put-handler.ts'
import { methodInvalid, notSupported } from './refusal.ts'
import type { ServiceCore } from './service-core.ts'
import { deleteShard, listShards, mergeShards, splitShard } from './shard-handlers.ts'
import type { Tracking } from './tracking.ts'

/** What the routes call. */
export interface Handlers {
  readonly core: ServiceCore
  readonly puts: PutHandler
  readonly pulls: PullHandler
  readonly tracking: Tracking
}

type Answer = HttpResponse | Promise<HttpResponse>

interface Route {
  /** How fault rules call it. */
  readonly name: string
  readonly method: string
  /** A segment starting with `:` takes any value, given to `run` in order. */
  readonly path: string
  /** Told apart by a parameter of the query: `type` or `action`. */
  readonly choice?: { readonly parameter: string; readonly values: readonly string[] }
  /** Bodies may be as long as a put's. */
  readonly put?: boolean
  /** Web tracking comes without a signature. */
  readonly unsigned?: boolean
  readonly run: (handlers: Handlers, call: Call, ...values: readonly string[]) => Answer
}

const logstore = '/logstores/:logstore'
const shard = `${logstore}/shards/:shard`
const group = `${logstore}/consumergroups/:group`
const typed = (...values: readonly string[]) => ({ parameter: 'type', values })
const acting = (...values: readonly string[]) => ({ parameter: 'action', values })
const at = (values: readonly string[], index: number): string => values[index] ?? ''

const route = (name: string, method: string, path: string, run: Route['run'], more: Partial<Route> = {}): Route => ({
  name,
  method,
  path,
  run,
  ...more,
})

const put = (name: string, path: string, run: Route['run'], more: Partial<Route> = {}): Route =>
  route(name, 'POST', path, run, { put: true, ...more })

/** Every route of the service (SLS protocol paper, §4–§8). Of two that fit the first counts. */
const routes: readonly Route[] = [
  put('put', logstore, ({ puts }, call, ...v) => puts.put(call, at(v, 0), { kind: 'balanced' })),
  put('put', `${logstore}/shards/lb`, ({ puts }, call, ...v) => puts.put(call, at(v, 0), { kind: 'balanced' })),
  put('put', `${logstore}/shards/route`, ({ puts }, call, ...v) => puts.put(call, at(v, 0), keyRoute(call))),
  put('put', '/prometheus/:project/:logstore/api/v1/write', ({ puts }, call, ...v) =>
    puts.put(call, at(v, 1), { kind: 'balanced' }),
  ),
  put('track', `${logstore}/track`, ({ tracking }, call, ...v) => tracking.post(call, at(v, 0)), { unsigned: true }),
  route('track', 'GET', `${logstore}/track`, ({ tracking }, call, ...v) => tracking.get(call, at(v, 0)), {
    unsigned: true,
  }),
  route('pull', 'GET', shard, ({ pulls }, call, ...v) => pulls.pull(call, at(v, 0), at(v, 1)), {
    choice: typed('log', 'logs'),
  }),
  route('get-cursor', 'GET', shard, ({ core }, call, ...v) => getCursor(core, call, at(v, 0), at(v, 1)), {
    choice: typed('cursor'),
  }),
  route('get-cursor-time', 'GET', shard, ({ core }, call, ...v) => getCursorTime(core, call, at(v, 0), at(v, 1)), {
    choice: typed('cursor_time'),
  }),
  route('list-shards', 'GET', `${logstore}/shards`, ({ core }, call, ...v) => listShards(core, call, at(v, 0))),
  route('split-shard', 'POST', shard, ({ core }, call, ...v) => splitShard(core, call, at(v, 0), at(v, 1)), {
    choice: acting('split'),
  }),
  route('merge-shards', 'POST', shard, ({ core }, call, ...v) => mergeShards(core, call, at(v, 0), at(v, 1)), {
    choice: acting('merge'),
  }),
  route('delete-shard', 'DELETE', shard, ({ core }, call, ...v) => deleteShard(core, call, at(v, 0), at(v, 1))),
  route('heartbeat', 'POST', group, ({ core }, call, ...v) => heartbeat(core, call, at(v, 0), at(v, 1)), {
    choice: typed('heartbeat'),
  }),
  route(
    'update-checkpoint',
    'POST',
    group,
    ({ core }, call, ...v) => updateCheckpoint(core, call, at(v, 0), at(v, 1)),
    {
      choice: typed('checkpoint'),
    },
  ),
  route('get-checkpoints', 'GET', group, ({ core }, call, ...v) => listCheckpoints(core, call, at(v, 0), at(v, 1))),
  route('update-group', 'PUT', group, ({ core }, call, ...v) => updateGroup(core, call, at(v, 0), at(v, 1))),
  route('delete-group', 'DELETE', group, ({ core }, call, ...v) => deleteGroup(core, call, at(v, 0), at(v, 1))),
  route('create-group', 'POST', `${logstore}/consumergroups`, ({ core }, call, ...v) =>
    createGroup(core, call, at(v, 0)),
  ),
  route('list-groups', 'GET', `${logstore}/consumergroups`, ({ core }, call, ...v) => listGroups(core, call, at(v, 0))),
  route('query', 'GET', logstore, () => refuseQueries(), {
    choice: typed('log', 'histogram', 'topic', 'context_log'),
  }),
  route('query', 'GET', `${logstore}/index`, () => refuseQueries(), { choice: typed('histogram') }),
  route('query', 'POST', `${logstore}/logs`, () => refuseQueries()),
  route('query', 'GET', '/logs', () => refuseQueries()),
  route('create-index', 'POST', `${logstore}/index`, ({ core }, call, ...v) =>
    setIndex(core, call, at(v, 0), 'absent'),
  ),
  route('update-index', 'PUT', `${logstore}/index`, ({ core }, call, ...v) =>
    setIndex(core, call, at(v, 0), 'present'),
  ),
  route('get-index', 'GET', `${logstore}/index`, ({ core }, call, ...v) => getIndex(core, call, at(v, 0))),
  route('delete-index', 'DELETE', `${logstore}/index`, ({ core }, call, ...v) => deleteIndex(core, call, at(v, 0))),
  route('get-logstore', 'GET', logstore, ({ core }, call, ...v) => getLogstore(core, call, at(v, 0))),
  route('update-logstore', 'PUT', logstore, ({ core }, call, ...v) => updateLogstore(core, call, at(v, 0))),
  route('delete-logstore', 'DELETE', logstore, ({ core }, call, ...v) => deleteLogstore(core, call, at(v, 0))),
  route('create-logstore', 'POST', '/logstores', ({ core }, call) => createLogstore(core, call)),
  route('list-logstores', 'GET', '/logstores', ({ core }, call) => listLogstores(core, call)),
  route('create-project', 'POST', '/', ({ core }, call) => createProject(core, call)),
  route('get-projects', 'GET', '/', ({ core }, call) => getProjects(core, call)),
  route('update-project', 'PUT', '/', ({ core }, call) => updateProject(core, call)),
  route('delete-project', 'DELETE', '/', ({ core }, call) => deleteProject(core, call)),
]

const refuseQueries = (): never => {
  throw notSupported('searching logs')
}

export const routeNames: readonly string[] = [...new Set(routes.map(({ name }) => name))]

const patternOf = (path: string): readonly string[] => (path === '/' ? [] : path.split('/').slice(1))

const compiled = routes.map((one) => ({ route: one, pattern: patternOf(one.path) }))

export interface FoundRoute {
  readonly name: string
  readonly put: boolean
  readonly unsigned: boolean
  readonly logstore: string | undefined
  readonly shard: string | undefined
  run(handlers: Handlers): Answer
}

/** @throws Refusal `InvalidMethod` when there is no such route, whatever project the host names. */
export const findRoute = (call: Call): FoundRoute => {
  for (const { route: one, pattern } of compiled) {
    if (one.method !== call.request.method || pattern.length !== call.segments.length) continue
    if (one.choice !== undefined && !one.choice.values.includes(call.query.get(one.choice.parameter) ?? '')) continue
    const values = valuesOf(pattern, call.segments)
    if (values === undefined) continue
    const named = (name: string): string | undefined => {
      const index = pattern.indexOf(name)
      return index === -1 ? undefined : call.segments[index]
    }
    return {
      name: one.name,
      put: one.put === true,
      unsigned: one.unsigned === true,
      logstore: named(':logstore'),
      shard: named(':shard'),
      run: (handlers) => one.run(handlers, call, ...values),
    }
  }
  throw methodInvalid(call.path)
}

const valuesOf = (pattern: readonly string[], segments: readonly string[]): string[] | undefined => {
  const values: string[] = []
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? ''
    if (!part.startsWith(':')) {
      if (part !== segment) return undefined
    } else if (segment === '') return undefined
    else values.push(segment)
  }
  return values
}
