import type { Digest } from '../../core/index.ts'

/**
 * What a file starts with. A file grows at its end, so while it is the same file its first bytes stay; a file that was
 * cut and written anew, or another one under a reused inode, starts otherwise.
 */
export interface Fingerprint {
  /** How many bytes are covered: all there were, at most 1024. */
  readonly bytes: number
  /** SHA-256 of them in hex; empty for none. */
  readonly sha256: string
}

/** A file's first bytes tell it from others well enough from this length on. */
export const fingerprintBytesMax = 1024

export const noFingerprint: Fingerprint = { bytes: 0, sha256: '' }

/** The fingerprint of a file that starts with `prefix`. */
export const fingerprintOf = (digest: Pick<Digest, 'sha256'>, prefix: Uint8Array): Fingerprint => {
  const bytes = Math.min(prefix.length, fingerprintBytesMax)
  return bytes === 0 ? noFingerprint : { bytes, sha256: sha256(digest, prefix.subarray(0, bytes)) }
}

/** Whether a file that starts with `prefix` can be the one of the fingerprint. */
export const fingerprintMatches = (
  digest: Pick<Digest, 'sha256'>,
  fingerprint: Fingerprint,
  prefix: Uint8Array,
): boolean => {
  if (fingerprint.bytes === 0) return true
  if (prefix.length < fingerprint.bytes) return false
  return sha256(digest, prefix.subarray(0, fingerprint.bytes)) === fingerprint.sha256
}

const sha256 = (digest: Pick<Digest, 'sha256'>, bytes: Uint8Array): string => {
  const hasher = digest.sha256()
  hasher.update(bytes)
  return hasher.hex()
}
