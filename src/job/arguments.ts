import { OptionsError } from '../core/index.ts'

const refuse = (message: string, fix: string): OptionsError => new OptionsError('OPTIONS_INVALID', { message, fix })

const named = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : typeof value

/** Refuses what is no function when the job is composed, and not at its first record. */
export const requireFunction = (step: string, value: unknown): void => {
  if (typeof value === 'function') return
  throw refuse(`what ${step} calls must be a function, got ${named(value)}`, `give ${step} a function`)
}

/** The same for a source or a sink. */
export const requireConnector = (kind: 'source' | 'sink', name: string, value: unknown): void => {
  if (typeof value === 'object' && value !== null && 'open' in value && typeof value.open === 'function') return
  const example = kind === 'source' ? "filesSource({ paths: './in' })" : "fileSink({ dir: './out' })"
  throw refuse(`'${name}' must be given a ${kind}, got ${named(value)}`, `give it one, e.g. ${example}`)
}

/** The same for a Standard Schema; some of them are functions. */
export const requireSchema = (step: string, value: unknown): void => {
  const object = typeof value === 'function' || (typeof value === 'object' && value !== null)
  if (object && '~standard' in (value as object)) return
  throw refuse(
    `${step} must be given a Standard Schema, got ${named(value)}`,
    'give it a schema of zod, valibot, arktype or another library that has one',
  )
}
