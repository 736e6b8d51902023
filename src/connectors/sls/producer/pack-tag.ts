import type { Digest } from '../../../core/index.ts'

/** The tag by which readers know the packages of one writer, and a copy of one that was sent twice. */
export const packTagName = '__pack_id__'

/** The longest value: 16 hex digits, a dash, and a counter below 2^52. */
export const packTagBytesMax = 16 + 1 + 13

/**
 * What the pack tags of a writer begin with, 16 upper-case hex digits like those of the official producers (SLS protocol
 * paper, section 10.1). The same for the whole life of a writer: a package that is sent again has its tag again.
 *
 * @param parts what makes the writer unique, a random name among them: two processes of a job without checkpoints have
 * the same generation, and a reader that drops copies must not take the packages of one for those of the other
 */
export const packPrefix = (digest: Digest, parts: readonly (string | number)[]): string =>
  digest.md5Hex(JSON.stringify(parts)).slice(0, 16).toUpperCase()

/** The pack tag of a package of a writer. */
export const packTag = (prefix: string, sequence: number): string => `${prefix}-${sequence.toString(16).toUpperCase()}`
