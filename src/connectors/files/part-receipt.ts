import { jsonSerializer, parentPath, type VersionedSerializer } from '../../core/index.ts'

/**
 * What a checkpoint knows of a part that is staged and durable. Paths are relative to the sink's directory, so that the
 * directory may be moved between two runs.
 */
export interface PartReceipt {
  readonly staged: string
  readonly final: string
  /** Size of the file. */
  readonly bytes: number
  readonly records: number
}

/** Receipts as they lie in checkpoints. Golden file: `test/connectors/files/sink/golden/`. */
export const partReceiptSerializer: VersionedSerializer<PartReceipt> = jsonSerializer('file-part', 1, (_, value) => {
  if (typeof value !== 'object' || value === null) throw new TypeError('a receipt is an object')
  const { staged, final, bytes, records } = value as Readonly<Record<string, unknown>>
  const [stagedPath, finalPath] = [relativePath('staged', staged), relativePath('final', final)]
  if (parentPath(stagedPath) !== parentPath(finalPath)) throw new TypeError('staged and final are in two directories')
  return { staged: stagedPath, final: finalPath, bytes: count('bytes', bytes), records: count('records', records) }
})

/** A manifest can be edited by hand; a receipt must not lead out of the directory of the sink. */
const relativePath = (name: string, value: unknown): string => {
  const fine =
    typeof value === 'string' &&
    !value.includes('\0') &&
    value.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  if (!fine) throw new TypeError(`${name} is not a path inside the directory of the sink: ${JSON.stringify(value)}`)
  return value
}

const count = (name: string, value: unknown): number => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new TypeError(`${name} is not a count: ${JSON.stringify(value)}`)
}
