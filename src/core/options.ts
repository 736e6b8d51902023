import Type, { type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { tryParseByteSize, tryParseDuration } from './duration.ts'
import { OptionsError } from './errors.ts'

/** What one option accepts: a typebox schema whose `description` completes the sentence "must be …". */
export type OptionField = TSchema & { readonly description?: string; readonly fields?: OptionFields }
export type OptionFields = Readonly<Record<string, { readonly required: boolean; readonly schema: OptionField }>>

/** One field for every option of the interface: a forgotten or misspelled one does not compile. */
export type OptionFieldsOf<Options> = {
  readonly [Name in keyof Options]-?: {
    readonly required: undefined extends Options[Name] ? false : true
    readonly schema: OptionField
  }
}

export const required = <const S extends OptionField>(schema: S): { required: true; schema: S } => ({
  required: true,
  schema,
})
export const optional = <const S extends OptionField>(schema: S): { required: false; schema: S } => ({
  required: false,
  schema,
})

/** Never a spread of what `Refine` gives: its check lies in a property that a spread leaves behind. */
const checked = (description: string, accept: (value: unknown) => boolean, fields?: OptionFields): OptionField =>
  Type.Refine(Type.Unknown({ description, ...(fields === undefined ? {} : { fields }) }), accept, () => description)

export const durationField = (range: { readonly minMs?: number; readonly maxMs?: number } = {}): OptionField => {
  const { minMs = 0, maxMs = 2 ** 31 } = range
  return checked(`a duration from ${minMs} ms to ${maxMs} ms, such as '5s' or 5000`, (value) => {
    const ms = tryParseDuration(value)
    return ms !== undefined && ms >= minMs && ms <= maxMs
  })
}

export const byteSizeField = (range: { readonly min?: number; readonly max?: number } = {}): OptionField => {
  const { min = 0, max = 2 ** 40 } = range
  return checked(`a size from ${min} to ${max} bytes, such as '64KiB' or 65536`, (value) => {
    const bytes = tryParseByteSize(value)
    return bytes !== undefined && bytes >= min && bytes <= max
  })
}

export const integerField = (min: number, max: number): OptionField => ({
  ...Type.Integer({ minimum: min, maximum: max }),
  description: `an integer from ${min} to ${max}`,
})

export const numberField = (min: number, max: number): OptionField => ({
  ...Type.Number({ minimum: min, maximum: max }),
  description: `a number from ${min} to ${max}`,
})

export const textField = (description = 'a non-empty string'): OptionField => ({
  ...Type.String({ minLength: 1 }),
  description,
})

export const booleanField = (): OptionField => ({ ...Type.Boolean(), description: 'true or false' })

export const oneOfField = (...values: readonly string[]): OptionField => ({
  ...Type.Union(values.map((value) => Type.Literal(value))),
  description: `one of ${values.map((value) => `'${value}'`).join(', ')}`,
})

export const textListField = (description = 'a list of non-empty strings'): OptionField => ({
  ...Type.Array(Type.String({ minLength: 1 })),
  description,
})

export const functionField = (description = 'a function'): OptionField =>
  checked(description, (value) => typeof value === 'function')

/** Anything that `accept` takes: for objects of ours such as sinks and clocks. */
export const checkedField = (description: string, accept: (value: unknown) => boolean): OptionField =>
  checked(description, accept)

/** Options inside options. */
export const nestedField = <Options>(fields: OptionFieldsOf<Options>): OptionField =>
  checked('an object with options', isObject, fields as OptionFields)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const show = (value: unknown): string => {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'a list'
  return isObject(value) ? 'an object' : String(value)
}

/** The closest of `names` to a misspelled one, when it is close enough to be meant. */
export const nearestName = (misspelled: string, names: readonly string[]): string | undefined => {
  const distances = names.map((name) => ({
    name,
    distance: editDistance(misspelled.toLowerCase(), name.toLowerCase()),
  }))
  distances.sort((a, b) => a.distance - b.distance)
  const best = distances[0]
  return best !== undefined && best.distance <= Math.max(2, Math.floor(best.name.length / 3)) ? best.name : undefined
}

const editDistance = (a: string, b: string): number => {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(substituted, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    previous = row
  }
  return previous[b.length] ?? 0
}

/** Every problem of `value` against `fields`, each a complete sentence naming the option. */
export const optionProblems = (fields: OptionFields, value: unknown, prefix = ''): string[] => {
  if (!isObject(value))
    return [`${prefix === '' ? 'the options' : `'${prefix}'`} must be an object, got ${show(value)}`]
  const problems: string[] = []
  const path = (name: string): string => (prefix === '' ? name : `${prefix}.${name}`)
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(fields, name)) continue
    const meant = nearestName(name, Object.keys(fields))
    problems.push(`unknown option '${path(name)}'${meant === undefined ? '' : `; did you mean '${path(meant)}'?`}`)
  }
  for (const [name, field] of Object.entries(fields)) {
    const given = value[name]
    if (given === undefined) {
      if (field.required) problems.push(`'${path(name)}' is missing; it must be ${field.schema.description ?? 'given'}`)
    } else if (field.schema.fields !== undefined && isObject(given)) {
      problems.push(...optionProblems(field.schema.fields, given, path(name)))
    } else if (!Value.Check(field.schema, given)) {
      problems.push(`'${path(name)}' must be ${field.schema.description ?? 'valid'}, got ${show(given)}`)
    }
  }
  return problems
}

/**
 * Reads the options of `what` at the door.
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export function checkOptions<Options>(
  what: string,
  fields: OptionFieldsOf<Options>,
  value: unknown,
): asserts value is Options {
  const problems = optionProblems(fields as OptionFields, value)
  if (problems.length > 0) throw new OptionsError('OPTIONS_INVALID', { message: `${what}: ${problems.join('; ')}` })
}
