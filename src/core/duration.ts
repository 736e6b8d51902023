import { OptionsError } from './errors.ts'

/** Milliseconds as a number, or a number with a unit: `'250ms'`, `'5s'`, `'1.5m'`, `'2h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** Bytes as a number, or a number with a unit: `'512B'`, `'64KiB'`, `'8MiB'`, `'1GiB'`. */
export type ByteSize = number | `${number}${'B' | 'KiB' | 'MiB' | 'GiB'}`

const durationUnits: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const byteUnits: Record<string, number> = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 }

const read = (value: unknown, units: Record<string, number>): number | undefined => {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined
  if (typeof value !== 'string') return undefined
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(value)
  const unit = units[match?.[2] ?? '']
  const result = match === null || unit === undefined ? undefined : Number(match[1]) * unit
  return result !== undefined && Number.isFinite(result) ? Math.round(result) : undefined
}

const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value))

/** Milliseconds of a duration, or undefined when it is not one. */
export const tryParseDuration = (value: unknown): number | undefined => read(value, durationUnits)

/** Bytes of a size, or undefined when it is not one. */
export const tryParseByteSize = (value: unknown): number | undefined => read(value, byteUnits)

/**
 * Milliseconds of a duration.
 * @throws OptionsError `OPTIONS_INVALID` when the text is not a number with one of the units ms, s, m, h, d.
 */
export const parseDuration = (value: Duration, what = 'duration'): number => {
  const ms = tryParseDuration(value)
  if (ms !== undefined) return ms
  throw new OptionsError('OPTIONS_INVALID', {
    message: `${what}: ${shown(value)} is not a duration`,
    fix: "write milliseconds as a number, or a number with a unit: '250ms', '5s', '1m', '2h', '1d'",
  })
}

/**
 * Bytes of a size.
 * @throws OptionsError `OPTIONS_INVALID` when the text is not a number with one of the units B, KiB, MiB, GiB.
 */
export const parseByteSize = (value: ByteSize, what = 'size'): number => {
  const bytes = tryParseByteSize(value)
  if (bytes !== undefined) return bytes
  throw new OptionsError('OPTIONS_INVALID', {
    message: `${what}: ${shown(value)} is not a size in bytes`,
    fix: "write bytes as a number, or a number with a unit: '512B', '64KiB', '8MiB', '1GiB'",
  })
}
