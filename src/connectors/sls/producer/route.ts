import { type Digest, OptionsError } from '../../../core/index.ts'
import { bucketKey } from '../../../wire/index.ts'

/**
 * How the shard of a record is chosen. Without one, and for records whose function gives undefined, the service chooses.
 *
 * Records of one hash key go to one shard, and into packages of their own: with thousands of different hash keys packages
 * become small. `buckets` bounds their number.
 */
export interface SlsRoute<in T> {
  readonly kind: 'hash-key' | 'md5' | 'buckets'
  /** For `explain()` and messages. */
  readonly text: string
  /** The hash key of a record: 32 hex digits, or undefined to let the service choose. */
  readonly hashKeyOf: (record: T, digest: Digest) => string | undefined
}

/** The hash key as it is: exactly 32 hex digits, which go to the shard whose range has them. Nothing is hashed again. */
export const hashKey = <T>(of: (record: T) => string | undefined): SlsRoute<T> => ({
  kind: 'hash-key',
  text: 'by the hash key of the record',
  hashKeyOf: (record) => of(record),
})

/** The MD5 of a text of any kind. */
export const md5Of = <T>(of: (record: T) => string | undefined): SlsRoute<T> => ({
  kind: 'md5',
  text: 'by the MD5 of a key',
  hashKeyOf: (record, digest) => {
    const key = of(record)
    return key === undefined ? undefined : digest.md5Hex(key)
  },
})

/** Keys whose bucket is remembered. */
const knownKeysMax = 8192

/**
 * The MD5 of a text, cut down to one of `count` buckets, exactly as the official producers do it (SLS protocol paper,
 * section 10.1): at most so many destinations, whatever the number of keys.
 * @param count a power of two from 1 to 512
 * @throws OptionsError `OPTIONS_INVALID` for another count
 */
export const buckets = <T>(count: number, of: (record: T) => string | undefined): SlsRoute<T> => {
  if (!Number.isInteger(count) || count < 1 || count > 512 || (count & (count - 1)) !== 0) {
    throw new OptionsError('OPTIONS_INVALID', {
      message: `buckets: ${String(count)} is not a power of two from 1 to 512`,
      fix: 'use 64, as the official producers do, or as many as there are shards, rounded up to a power of two',
    })
  }
  const known = new Map<string, string>()
  return {
    kind: 'buckets',
    text: `by ${count} buckets of keys`,
    hashKeyOf: (record, digest) => {
      const key = of(record)
      if (key === undefined) return undefined
      const before = known.get(key)
      if (before !== undefined) return before
      const bucket = bucketKey(digest.md5Hex(key), count)
      if (known.size >= knownKeysMax) known.clear()
      known.set(key, bucket)
      return bucket
    },
  }
}
