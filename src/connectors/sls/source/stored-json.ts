/** Readers of state that was stored as JSON. Each throws a TypeError that names what is wrong. */

type Fields = Readonly<Record<string, unknown>>

export const readObject = (value: unknown, what: string): Fields => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new TypeError(`${what} is not an object`)
}

export const readText = (fields: Fields, name: string): string => {
  const value = fields[name]
  if (typeof value === 'string') return value
  throw new TypeError(`${name} is not text`)
}

export const readCount = (fields: Fields, name: string): number => {
  const value = fields[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new TypeError(`${name} is not a number from 0`)
}

export const readBoolean = (fields: Fields, name: string): boolean => {
  const value = fields[name]
  if (typeof value === 'boolean') return value
  throw new TypeError(`${name} is not true or false`)
}

/** An integer beyond 2^53 is stored as decimal text. */
export const readBigInt = (fields: Fields, name: string): bigint => {
  const value = fields[name]
  if (typeof value === 'string' && /^-?[0-9]{1,20}$/.test(value)) return BigInt(value)
  throw new TypeError(`${name} is not the decimal text of an integer`)
}

export const readNullable = <T>(fields: Fields, name: string, read: (fields: Fields, name: string) => T): T | null =>
  fields[name] === null ? null : read(fields, name)

export const readList = (fields: Fields, name: string): readonly unknown[] => {
  const value = fields[name]
  if (Array.isArray(value)) return value
  throw new TypeError(`${name} is not a list`)
}

export const readOneOf = <const Value extends string>(
  fields: Fields,
  name: string,
  values: readonly Value[],
): Value => {
  const found = values.find((value) => value === fields[name])
  if (found !== undefined) return found
  throw new TypeError(`${name} is not one of ${values.join(', ')}`)
}
