import {
  type ByteSize,
  byteSizeField,
  checkedField,
  type Duration,
  durationField,
  integerField,
  nearestName,
  nestedField,
  type OptionFieldsOf,
  OptionsError,
  oneOfField,
  optional,
  optionProblems,
  parseByteSize,
  parseDuration,
  required,
  textField,
} from '../../../core/index.ts'
import { defaultRetryPolicy, type PackageLimits, type RetryPolicy } from '../../../sink/index.ts'
import type { SlsCredentials, SlsCredentialsProvider } from '../client/credentials.ts'
import { isLogstoreName, isProjectName } from '../client/names.ts'
import { isHashKey, logstoreNameRule, projectNameRule } from './names.ts'
import type { SlsSendRetryOptions } from './write-options.ts'

/** Somewhere LogGroups go. What is not given is that of the dispatch. */
export interface SlsDispatchTarget {
  readonly logstore: string
  readonly project?: string | undefined
  readonly endpoint?: string | undefined
  readonly credentials?: SlsCredentials | SlsCredentialsProvider | undefined
  /** 32 hex digits: everything goes to the shard that has it. Default: the service chooses. */
  readonly hashKey?: string | undefined
}

/** What a dispatch takes: a LogGroup of `slsSource({ records: 'groups' })`, or anything like it. */
export interface RoutableGroup {
  /** The serialised LogGroup. */
  readonly serialized: Uint8Array
  readonly topic: string
}

/** The name of a target, or several. */
export type TargetNames = string | readonly string[]

/** What of `slsDispatch` is not about the connection. */
export interface SlsDispatchRouting {
  /** By a name of your own. 1 to 1000. */
  readonly targets: Readonly<Record<string, SlsDispatchTarget>>
  /** The targets of each topic, by name; or a function that gives them for a LogGroup, undefined for none. */
  readonly routes: Readonly<Record<string, TargetNames>> | ((group: RoutableGroup) => TargetNames | undefined)
  /**
   * A LogGroup that no route is for: `drop` leaves it out, counts it and warns once for each topic; `fail` stops the job;
   * `{ to }` sends it to a target. Default `drop`.
   */
  readonly unmatched?: 'drop' | 'fail' | { readonly to: string } | undefined
  /** A LogGroup that its target refuses for what it holds: `fail` stops the job, `skip` leaves it out. Default `fail`. */
  readonly onRejected?: 'fail' | 'skip' | undefined
  /**
   * What each target may have queued and on its way in this process: so much a target may be behind before it holds the
   * others. Part of the memory of all sinks. 64 KiB to 1 GiB, default 16 MiB.
   */
  readonly buffer?: ByteSize | undefined
  /**
   * Several LogGroups in one request, each compressed by itself; they stay LogGroups of their own. Default: each by
   * itself, at once.
   */
  readonly batch?: SlsDispatchBatchOptions | undefined
  readonly retry?: SlsSendRetryOptions | undefined
}

export interface SlsDispatchBatchOptions {
  /** LogGroups of a request. 1 to 4096, default 256. */
  readonly groups?: number | undefined
  /** Bytes of them before compression. 1 KiB to 8 MiB, default 3 MiB. */
  readonly bytes?: ByteSize | undefined
  /** How long a request waits for more. 1 ms to 1 h, default 200 ms. A checkpoint does not wait for it. */
  readonly linger?: Duration | undefined
}

export interface SlsDispatchSettings {
  readonly targets: ReadonlyMap<string, SlsDispatchTarget>
  readonly routeOf: (group: RoutableGroup) => TargetNames | undefined
  readonly unmatched: 'drop' | 'fail' | { readonly to: string }
  readonly onRejected: 'fail' | 'skip'
  readonly bufferBytes: number
  readonly batched: boolean
  readonly limits: PackageLimits
  readonly retry: RetryPolicy
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const given = checkedField('given', () => true)

const targetFields: OptionFieldsOf<SlsDispatchTarget> = {
  logstore: required(checkedField(logstoreNameRule, isLogstoreName)),
  project: optional(checkedField(projectNameRule, isProjectName)),
  endpoint: optional(textField('a host with or without scheme and port')),
  // The client looks at them; nothing here could show them.
  credentials: optional(given),
  hashKey: optional(checkedField('exactly 32 hex digits', isHashKey)),
}

export const dispatchOptionFields: OptionFieldsOf<SlsDispatchRouting> = {
  targets: required(checkedField('an object of names to targets', (value) => isObject(value) && isCount(value))),
  routes: required(
    checkedField(
      'an object of topics to names of targets, or a function',
      (value) => typeof value === 'function' || isObject(value),
    ),
  ),
  unmatched: optional(
    checkedField("'drop', 'fail' or { to: the name of a target }", (value) =>
      isObject(value) ? Object.keys(value).join() === 'to' : value === 'drop' || value === 'fail',
    ),
  ),
  onRejected: optional(oneOfField('fail', 'skip')),
  buffer: optional(byteSizeField({ min: 64 << 10, max: 1 << 30 })),
  batch: optional(
    nestedField<SlsDispatchBatchOptions>({
      groups: optional(integerField(1, 4096)),
      bytes: optional(byteSizeField({ min: 1024, max: 8 << 20 })),
      linger: optional(durationField({ minMs: 1, maxMs: 3_600_000 })),
    }),
  ),
  retry: optional(
    nestedField<SlsSendRetryOptions>({
      attemptsMax: optional(integerField(1, 1_000_000)),
      initial: optional(durationField({ minMs: 1, maxMs: 3_600_000 })),
      max: optional(durationField({ minMs: 1, maxMs: 86_400_000 })),
    }),
  ),
}

const isCount = (targets: object): boolean => {
  const { length } = Object.keys(targets)
  return length >= 1 && length <= 1000
}

export const namesOf = (names: TargetNames): readonly string[] => (typeof names === 'string' ? [names] : names)

/** Names of targets that there are not. */
const nameProblems = ({ targets, routes, unmatched }: Partial<SlsDispatchRouting>): string[] => {
  const known = isObject(targets) ? Object.keys(targets) : []
  const problem = (where: string, name: unknown): string[] => {
    if (typeof name !== 'string') return [`${where} must name a target`]
    if (known.includes(name)) return []
    const meant = nearestName(name, known)
    return [
      `${where} names the target '${name}', which there is not${meant === undefined ? '' : `; is it '${meant}'?`}`,
    ]
  }
  const fromRoutes = isObject(routes)
    ? Object.entries(routes).flatMap(([topic, names]) => {
        const list: readonly unknown[] = Array.isArray(names) ? names : [names]
        return list.flatMap((name) => problem(`'routes.${topic}'`, name))
      })
    : []
  return [...fromRoutes, ...(isObject(unmatched) ? problem("'unmatched.to'", unmatched['to']) : [])]
}

/**
 * Reads the options at the door. `others` are the problems of options that belong to the connection.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const resolveDispatchOptions = (
  options: SlsDispatchRouting,
  others: readonly string[] = [],
): SlsDispatchSettings => {
  const targets: object = isObject(options.targets) ? options.targets : {}
  const problems = [
    ...others,
    ...optionProblems(dispatchOptionFields, options),
    ...Object.entries(targets).flatMap(([name, target]) => optionProblems(targetFields, target, `targets.${name}`)),
    ...nameProblems(options),
  ]
  if (problems.length > 0) {
    throw new OptionsError('OPTIONS_INVALID', { message: `slsDispatch: ${problems.join('; ')}` })
  }
  const { routes, batch, retry = {} } = options
  return Object.freeze({
    targets: new Map(Object.entries(options.targets)),
    routeOf: typeof routes === 'function' ? routes : byTopic(routes),
    unmatched: options.unmatched ?? 'drop',
    onRejected: options.onRejected ?? 'fail',
    bufferBytes: parseByteSize(options.buffer ?? '16MiB'),
    batched: batch !== undefined,
    limits: {
      records: batch === undefined ? 1 : (batch.groups ?? 256),
      bytes: parseByteSize(batch?.bytes ?? '3MiB'),
      lingerMs: parseDuration(batch?.linger ?? '200ms'),
      openMax: 1,
    },
    retry: {
      ...defaultRetryPolicy,
      ...(retry.attemptsMax === undefined ? {} : { attemptsMax: retry.attemptsMax }),
      ...(retry.initial === undefined ? {} : { initialMs: parseDuration(retry.initial) }),
      ...(retry.max === undefined ? {} : { maxMs: parseDuration(retry.max) }),
    },
  })
}

const byTopic = (routes: Readonly<Record<string, TargetNames>>): SlsDispatchSettings['routeOf'] => {
  const table = new Map(Object.entries(routes))
  return ({ topic }) => table.get(topic)
}
