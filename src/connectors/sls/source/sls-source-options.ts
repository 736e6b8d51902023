import { checkedField, type OptionFields, optional, optionProblems } from '../../../core/index.ts'
import { type SlsClientOptions, slsClientFields, slsClientSettings } from '../client/client-options.ts'
import {
  readOptionFields,
  resolveReadOptions,
  type SlsInvalidPolicy,
  type SlsLogstore,
  type SlsReadOptions,
  type SlsReadSettings,
} from './source-options.ts'

/** Options of `slsSource`: how to reach the service, and what to read. */
export interface SlsSourceOptions<
  Records extends 'logs' | 'groups' = 'logs' | 'groups',
  OnInvalid extends SlsInvalidPolicy = SlsInvalidPolicy,
> extends SlsClientOptions,
    SlsReadOptions<Records, OnInvalid> {}

/** The options, read. */
export interface SourceOptionsRead {
  readonly connection: SlsClientOptions
  readonly settings: SlsReadSettings
}

/** What the shards of a logstore are called in checkpoints. */
export const keyOf = ({ name, project, logstore }: SlsLogstore, defaultProject: string | undefined): string =>
  name ?? `${project ?? defaultProject}/${logstore}`

const pick = (options: object, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([name]) => names.includes(name)))

const anything = optional(checkedField('given', () => true))
const readNames = Object.keys(readOptionFields)
const connectionNames = Object.keys(slsClientFields)
const { credentials: _, ...shownFields } = slsClientFields
/** Only for the names: which options there are at all. */
const allNames: OptionFields = Object.fromEntries([...readNames, ...connectionNames].map((name) => [name, anything]))

const placeProblems = (given: Partial<SlsSourceOptions>): string[] => {
  const { project, logstore, logstores, logstorePattern } = given
  const places = Array.isArray(logstores) ? logstores.filter((place) => place !== null) : []
  const needed =
    logstore !== undefined ||
    logstorePattern !== undefined ||
    places.some((place) => typeof place !== 'object' || place.project === undefined)
  const problems = needed && project === undefined ? ["'project' is missing"] : []
  const keys = places.map((place) => keyOf(typeof place === 'object' ? place : { logstore: String(place) }, project))
  const twice = keys.find((key, index) => keys.indexOf(key) !== index)
  if (twice !== undefined) problems.push(`'logstores' has '${twice}' twice; give one of them another name`)
  return problems
}

/**
 * Reads the options at the door.
 * @throws OptionsError `OPTIONS_INVALID`; of the connection it shows no credentials.
 */
export const readSourceOptions = (options: SlsSourceOptions): SourceOptionsRead => {
  const given: Partial<SlsSourceOptions> = typeof options === 'object' && options !== null ? options : {}
  const { credentials: __, ...shown } = pick(given, connectionNames)
  const others = [...optionProblems(allNames, given), ...optionProblems(shownFields, shown), ...placeProblems(given)]
  const settings = resolveReadOptions(pick(given, readNames), others)
  const connection = pick(given, connectionNames) as unknown as SlsClientOptions
  slsClientSettings(connection)
  return { connection, settings }
}
