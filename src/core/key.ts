import { StepError } from './errors.ts'

/** What a stream may be keyed by. Two keys are the same when they have the same type and value. */
export type Key = string | number | bigint | boolean | Uint8Array | readonly Key[]

/**
 * The first byte of key bytes: it keeps `1`, `1n` and `'1'` apart. Stored for ever: the key group of every key ever
 * checkpointed depends on it. Golden values: `test/core/key.test.ts`.
 */
const tag = { text: 1, int64: 2, float64: 3, bytes: 4, tuple: 5, bigint: 6, boolean: 7 } as const

const canonicalNaN = 0x7ff8000000000000n

const encoder = new TextEncoder()
let scratch = new Uint8Array(1024)
let view = new DataView(scratch.buffer)

const reserve = (end: number): void => {
  if (end <= scratch.length) return
  const grown = new Uint8Array(Math.max(end, scratch.length * 2))
  grown.set(scratch)
  scratch = grown
  view = new DataView(grown.buffer)
}

const unusable = (key: unknown, why: string): StepError =>
  new StepError('STEP_MISUSED', {
    message: `keyBy gave a key that cannot be used: ${why}`,
    fix: 'return a string, a number, a bigint, a boolean, bytes, or a tuple of those',
    cause: typeof key === 'object' ? undefined : key,
  })

/** Writes the key's bytes at `at` of the scratch buffer and returns the end. */
const write = (key: Key, at: number): number => {
  if (typeof key === 'string') return writeText(key, at)
  reserve(at + 9)
  if (typeof key === 'number') {
    const integer = Number.isSafeInteger(key)
    scratch[at] = integer ? tag.int64 : tag.float64
    if (integer) view.setBigInt64(at + 1, BigInt(key))
    // There are many NaN: what a division gives has other bits than the constant, and other ones on another processor.
    else if (Number.isNaN(key)) view.setBigInt64(at + 1, canonicalNaN)
    else view.setFloat64(at + 1, key)
    return at + 9
  }
  if (typeof key === 'bigint') {
    if (BigInt.asIntN(64, key) !== key) throw unusable(key, 'a bigint beyond 64 bits')
    scratch[at] = tag.bigint
    view.setBigInt64(at + 1, key)
    return at + 9
  }
  if (typeof key === 'boolean') {
    scratch[at] = tag.boolean
    scratch[at + 1] = key ? 1 : 0
    return at + 2
  }
  if (key instanceof Uint8Array) {
    reserve(at + 1 + key.length)
    scratch[at] = tag.bytes
    scratch.set(key, at + 1)
    return at + 1 + key.length
  }
  if (Array.isArray(key)) return writeTuple(key, at)
  throw unusable(key, key === undefined ? 'undefined' : key === null ? 'null' : typeof key)
}

const writeText = (key: string, at: number): number => {
  reserve(at + 1 + key.length * 3)
  scratch[at] = tag.text
  let end = at + 1
  for (let index = 0; index < key.length; index++) {
    const unit = key.charCodeAt(index)
    if (unit > 127) return at + 1 + encoder.encodeInto(key, scratch.subarray(at + 1)).written
    scratch[end++] = unit
  }
  return end
}

const writeTuple = (parts: readonly Key[], at: number): number => {
  scratch[at] = tag.tuple
  view.setUint32(at + 1, parts.length)
  let end = at + 5
  for (const part of parts) {
    reserve(end + 4)
    const start = end + 4
    const partEnd = write(part, start)
    view.setUint32(end, partEnd - start)
    end = partEnd
  }
  return end
}

/** The bytes a key is known by: a type tag, then its value; a tuple's parts each with their length in front. */
export const keyBytes = (key: Key): Uint8Array => {
  // Before `scratch` is looked at: a long key makes it grow, into another array.
  const length = write(key, 0)
  return scratch.slice(0, length)
}

const scramble = (word: number): number => {
  const k = Math.imul(word, 0xcc9e2d51)
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593)
}

const mixIn = (hash: number, word: number): number => {
  const h = hash ^ scramble(word)
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

const finish = (hash: number, length: number): number => {
  let h = hash ^ length
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** murmur3_x86_32 with seed 0 over the first `length` bytes. */
export const murmur3 = (bytes: Uint8Array, length: number = bytes.length): number => {
  let h = 0
  const whole = length & ~3
  for (let i = 0; i < whole; i += 4) {
    const word =
      (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16) | ((bytes[i + 3] ?? 0) << 24)
    h = mixIn(h, word)
  }
  let tail = 0
  for (let i = length - 1; i >= whole; i--) tail = (tail << 8) | (bytes[i] ?? 0)
  return finish(h ^ scramble(tail), length)
}

/** A 32-bit hash of the key's bytes: the route of its records. */
export const hashKey = (key: Key): number => {
  const known = typeof key === 'string' ? murmur3OfAscii(key) : undefined
  if (known !== undefined) return known
  const length = write(key, 0)
  return murmur3(scratch, length)
}

/** What `murmur3` gives for a text, without writing its bytes first (bench: runtime, key-exchange). Undefined when not ASCII. */
const murmur3OfAscii = (text: string): number | undefined => {
  const { length } = text
  let h = 0
  let units = 0
  let word: number = tag.text
  let shift = 8
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    units |= unit
    word |= unit << shift
    shift += 8
    if (shift < 32) continue
    h = mixIn(h, word)
    word = 0
    shift = 0
  }
  return units > 127 ? undefined : finish(h ^ scramble(word), length + 1)
}

/** Flink's `MathUtils.murmurHash`: int32 in, 0 … 2^31-1 out (distributed-engine paper, section 4.5). */
export const flinkMurmur = (code: number): number => {
  let h = Math.imul(code, 0xcc9e2d51)
  h = (h << 15) | (h >>> 17)
  h = Math.imul(h, 0x1b873593)
  h = (h << 13) | (h >>> 19)
  h = (Math.imul(h, 5) + 0xe6546b64) | 0
  h ^= 4
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  h ^= h >>> 16
  return h >= 0 ? h : h === -0x80000000 ? 0 : -h
}

/** The key group of a route, as Flink computes it. */
export const keyGroupOf = (route: number, maxParallelism: number): number => flinkMurmur(route) % maxParallelism

/** The subtask that owns a key group. */
export const subtaskOfKeyGroup = (group: number, maxParallelism: number, parallelism: number): number =>
  Math.floor((group * parallelism) / maxParallelism)

/** The key groups of a subtask, `last` included. */
export const keyGroupRange = (
  subtask: number,
  maxParallelism: number,
  parallelism: number,
): { readonly first: number; readonly last: number } => ({
  first: Math.ceil((subtask * maxParallelism) / parallelism),
  last: Math.ceil(((subtask + 1) * maxParallelism) / parallelism) - 1,
})

/** The key under which a Map can hold `key`: itself, or text for bytes and tuples, which a Map compares by identity. */
export const mapKeyOf = (key: Key): string | number | bigint | boolean => {
  if (typeof key === 'object' || (typeof key === 'string' && key.charCodeAt(0) === 0)) {
    return `\0${latin1(keyBytes(key))}`
  }
  return key
}

/** One character per byte. In pieces: a call takes only so many arguments. */
const latin1 = (bytes: Uint8Array): string => {
  let text = ''
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192))
  }
  return text
}
