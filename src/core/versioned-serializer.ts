import { asError, RestoreError } from './errors.ts'

/**
 * Values ↔ bytes that outlive the program. A serializer writes its newest version and reads every version it ever
 * wrote; golden files hold it to that.
 */
export interface VersionedSerializer<T> {
  /** Stable name, stored beside the bytes: what kind of thing this is. */
  readonly name: string
  /** The version `serialize` writes; a positive integer. */
  readonly version: number
  serialize(value: T): Uint8Array
  /** @throws any error when the bytes are not of that version; the caller turns it into a RestoreError. */
  deserialize(version: number, bytes: Uint8Array): T
}

/** A serializer that keeps values as JSON text, so that a person can read them in a checkpoint. */
export const jsonSerializer = <T>(
  name: string,
  version: number,
  upgrade: (version: number, value: unknown) => T,
): VersionedSerializer<T> => ({
  name,
  version,
  serialize: (value) => new TextEncoder().encode(JSON.stringify(value)),
  deserialize: (written, bytes) =>
    upgrade(written, JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))),
})

/**
 * Reads bytes that `serializer` or an earlier version of it wrote.
 * @throws RestoreError `CHECKPOINT_MISMATCH` for another kind of thing, `CHECKPOINT_NEWER` for a version from the
 *   future, `CHECKPOINT_CORRUPT` when the bytes cannot be read.
 */
export const readVersioned = <T>(
  serializer: VersionedSerializer<T>,
  stored: { readonly name: string; readonly version: number; readonly bytes: Uint8Array },
  step: string,
): T => {
  const place = { step }
  if (stored.name !== serializer.name) {
    throw new RestoreError('CHECKPOINT_MISMATCH', {
      message: `the state is of kind '${stored.name}', but the step now keeps '${serializer.name}'`,
      place,
    })
  }
  if (stored.version > serializer.version) {
    throw new RestoreError('CHECKPOINT_NEWER', {
      message: `'${stored.name}' is of version ${stored.version}; this program reads up to version ${serializer.version}`,
      place,
    })
  }
  try {
    return serializer.deserialize(stored.version, stored.bytes)
  } catch (thrown) {
    const cause = asError(thrown)
    throw new RestoreError('CHECKPOINT_CORRUPT', {
      message: `'${stored.name}' version ${stored.version} cannot be read: ${cause.message}`,
      place,
      cause,
    })
  }
}
