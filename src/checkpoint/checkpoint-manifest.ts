import { asError, type Digest, invariant, RestoreError } from '../core/index.ts'
import type { CheckpointManifest } from './checkpoint-store.ts'
import { manifestProblems } from './manifest-problems.ts'

/** The version `encodeManifest` writes, and the newest it reads. */
export const manifestVersion = 1

/** A longer manifest is refused: it was not written by this library. */
export const manifestBytesMax = 64 << 20

const encoder = new TextEncoder()
const magicLine = '{\n  "magic": "millrace-checkpoint",\n'
// The first lines and the last one keep this form in every version for ever: a reader needs them to say what is wrong.
const headPattern =
  /^\{\n {2}"magic": "millrace-checkpoint",\n {2}"formatVersion": (\d{1,9}),\n {2}"readerVersion": (\d{1,9}),\n {2}"bytes": (\d{1,12}),\n/
const tailPattern = /^,\n {2}"crc32": "([0-9a-f]{8})"\n\}\n$/
const tailOf = (crc32: string): string => `,\n  "crc32": "${crc32}"\n}\n`
const tailBytes = tailOf('00000000').length

const hex = (crc32: number): string => crc32.toString(16).padStart(8, '0')

/**
 * The manifest as indented JSON. `bytes` near the top is the length of the file and `crc32`, last, the CRC-32 of all
 * bytes before it, so that a file cut short or changed anywhere is recognised.
 */
export const encodeManifest = (manifest: CheckpointManifest, digest: Digest): Uint8Array => {
  const problems = manifestProblems(manifest)
  invariant(problems.length === 0, `a manifest to be written is valid: ${problems.join('; ')}`)
  const { magic, formatVersion, readerVersion, ...content } = manifest
  const render = (bytes: number): Uint8Array => {
    const json = JSON.stringify({ magic, formatVersion, readerVersion, bytes, ...content }, undefined, 2)
    return encoder.encode(json.slice(0, -'\n}'.length))
  }
  // The length counts its own digits.
  const withoutDigits = render(0).length - 1 + tailBytes
  let bytes = withoutDigits
  while (withoutDigits + String(bytes).length !== bytes) bytes = withoutDigits + String(bytes).length
  const body = render(bytes)
  const whole = new Uint8Array(bytes)
  whole.set(body)
  whole.set(encoder.encode(tailOf(hex(digest.crc32(body)))), body.length)
  return whole
}

/**
 * Reads a manifest; fields it does not know stay in the result.
 *
 * @param path names the file in messages
 * @throws RestoreError `CHECKPOINT_CORRUPT` when anything is missing or changed, `CHECKPOINT_NEWER` when it asks for a
 *   newer reader.
 */
export const decodeManifest = (bytes: Uint8Array, path: string, digest: Digest): CheckpointManifest => {
  const text = decodeText(bytes, path)
  const head = checkHead(text, bytes.length, path)
  const tail = tailPattern.exec(new TextDecoder().decode(bytes.subarray(-tailBytes)))
  const crc32 = hex(digest.crc32(bytes.subarray(0, -tailBytes)))
  const intact = tail?.[1] === crc32 && head.bytes === bytes.length
  if (head.readerVersion > manifestVersion) throw newer(head.formatVersion, head.readerVersion, intact, path)
  if (head.bytes !== bytes.length) {
    throw corrupt(path, `the file has ${bytes.length} bytes, but says that it has ${head.bytes}`)
  }
  if (tail === null) throw corrupt(path, `the file has ${bytes.length} bytes, but does not end with its CRC-32`)
  if (!intact) throw corrupt(path, `the CRC-32 of its ${bytes.length} bytes is ${crc32}, but it says ${tail[1]}`)
  return parse(text, path)
}

/** @throws RestoreError `CHECKPOINT_FOREIGN` when the checkpoint belongs to another job. */
export const requireJob = (manifest: CheckpointManifest, job: string, path: string): void => {
  if (manifest.job === job) return
  throw new RestoreError('CHECKPOINT_FOREIGN', {
    message: `checkpoint ${manifest.checkpointId} belongs to job '${manifest.job}', and this is job '${job}'`,
    place: { job, checkpointId: manifest.checkpointId, path },
    fix: `give job '${job}' a checkpoint directory of its own, or name the job '${manifest.job}' again`,
  })
}

const decodeText = (bytes: Uint8Array, path: string): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw corrupt(path, `the file has ${bytes.length} bytes, and they are not UTF-8`)
  }
}

interface Head {
  readonly formatVersion: number
  readonly readerVersion: number
  readonly bytes: number
}

const checkHead = (text: string, length: number, path: string): Head => {
  if (!text.startsWith(magicLine)) {
    const found = length === 0 ? 'the file is empty' : `the file has ${length} bytes`
    throw corrupt(path, `${found} and does not begin as a manifest of millrace does`)
  }
  const head = headPattern.exec(text)
  if (head === null)
    throw corrupt(path, `the file has ${length} bytes, and its first lines are not those of a manifest`)
  return { formatVersion: Number(head[1]), readerVersion: Number(head[2]), bytes: Number(head[3]) }
}

const parse = (text: string, path: string): CheckpointManifest => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (thrown) {
    throw corrupt(path, 'it is not JSON, although its CRC-32 is right', asError(thrown))
  }
  const problems = manifestProblems(value)
  if (problems.length > 0) {
    const more = problems.length > 5 ? `; and ${problems.length - 5} more` : ''
    throw corrupt(path, `its CRC-32 is right, but ${problems.slice(0, 5).join('; ')}${more}`)
  }
  const { bytes: _bytes, crc32: _crc32, ...manifest } = value as CheckpointManifest & { bytes: number; crc32: string }
  return manifest
}

const corrupt = (path: string, message: string, cause?: Error): RestoreError =>
  new RestoreError('CHECKPOINT_CORRUPT', {
    message,
    place: { path },
    fix: `put ${path} back from a copy, or restore an older checkpoint by id with allowRollback: true`,
    cause,
  })

const newer = (formatVersion: number, readerVersion: number, intact: boolean, path: string): RestoreError => {
  const damaged = intact ? '' : '; or its first lines are damaged: length and CRC-32 do not fit either'
  return new RestoreError('CHECKPOINT_NEWER', {
    message:
      `it has format version ${formatVersion} and needs a reader of version ${readerVersion}; ` +
      `this program reads up to version ${manifestVersion}${damaged}`,
    place: { path },
  })
}
