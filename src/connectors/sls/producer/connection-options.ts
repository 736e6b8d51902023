import { checkedField, type OptionFields, optional, optionProblems } from '../../../core/index.ts'
import { type SlsClientOptions, slsClientFields, slsClientSettings } from '../client/client-options.ts'

/** How a sink or producer reaches its project. What it sends again, and when, is its own matter. */
export interface SlsSendConnection
  extends Omit<SlsClientOptions, 'project' | 'retry' | 'deadline' | 'answerBytesMax' | 'putBytesMax'> {
  /** For logs that name none. */
  readonly project: string
}

const { retry: _r, deadline: _d, answerBytesMax: _a, putBytesMax: _p, ...connectionFields } = slsClientFields
const { credentials: _c, ...shownFields } = connectionFields
const connectionNames = Object.keys(connectionFields)

const anything = optional(checkedField('given', () => true))

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

export interface SplitOptions<Rest> {
  readonly connection: SlsSendConnection
  readonly rest: Rest
  /** What is wrong with the connection, and which options there are not at all. Nothing of it shows credentials. */
  readonly problems: readonly string[]
}

/** Options of a connection and others, taken apart. */
export const splitOptions = <Rest>(options: unknown, restFields: OptionFields): SplitOptions<Rest> => {
  const given = isObject(options) ? options : {}
  const pick = (names: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name)))
  const restNames = Object.keys(restFields)
  const known: OptionFields = Object.fromEntries([...connectionNames, ...restNames].map((name) => [name, anything]))
  const connection = pick(connectionNames) as unknown as SlsSendConnection
  const { credentials, ...shown } = pick(connectionNames)
  const problems = [...optionProblems(known, given), ...optionProblems(shownFields, shown)]
  if (given['project'] === undefined) problems.push("'project' is missing")
  if (credentials === undefined) problems.push("'credentials' is missing")
  return { connection, rest: pick(restNames) as unknown as Rest, problems }
}

const minuteMs = 60_000

/**
 * The options of the client that a sender uses: one try per call, and room for the largest package.
 * @throws OptionsError `OPTIONS_INVALID`; it shows no credentials.
 */
export const clientOptionsOf = (connection: SlsSendConnection, groupBytesMax: number): SlsClientOptions => {
  const options: SlsClientOptions = { ...connection, putBytesMax: Math.min(Math.max(groupBytesMax, 1024), 64 << 20) }
  const { timeoutMs } = slsClientSettings(options)
  return { ...options, deadline: timeoutMs + minuteMs }
}
