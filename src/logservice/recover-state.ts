import { asError, isMillraceError, type Logger, StorageError } from '../core/index.ts'
import { applyFact } from './apply-fact.ts'
import { decodeJson, type Fact } from './facts.ts'
import { emptyState, type ServiceState } from './service-state.ts'
import { restoreState, type StateImage, snapshotVersion } from './state-snapshot.ts'
import type { Recovered } from './storage/log-storage.ts'

/** The storage has checked the bytes: what is not JSON was written so. */
const read = (bytes: Uint8Array, what: string): unknown => {
  try {
    return decodeJson(bytes)
  } catch (error) {
    throw new StorageError('LOG_STORE_CORRUPT', { message: `${what} is not JSON`, cause: asError(error) })
  }
}

const restored = (snapshot: Uint8Array): ServiceState => {
  const image = read(snapshot, 'the snapshot of the definitions') as StateImage
  if (image.version === snapshotVersion) return restoreState(image)
  throw new StorageError('LOG_STORE_NEWER', {
    message: `the definitions have version ${String(image.version)}, which this version cannot read`,
  })
}

/**
 * The definitions as of the last durable fact. Streams that no definition names keep their numbers to themselves.
 * @throws StorageError `LOG_STORE_NEWER` or `LOG_STORE_CORRUPT` when they cannot be read.
 */
export const recoverState = ({ storage, snapshot, facts }: Recovered, log: Logger): ServiceState => {
  const state = snapshot === undefined ? emptyState() : restored(snapshot)
  for (const bytes of facts) {
    const fact = read(bytes, 'a change of the definitions') as Fact
    try {
      applyFact(state, fact)
    } catch (error) {
      if (!isMillraceError(error) || error.code !== 'INVARIANT_BROKEN') throw error
      // Only a salvage leaves facts out. What follows one that is lost cannot be applied; all else still can.
      log.error({ err: error }, 'a change of a definition that is lost cannot be followed')
    }
  }
  for (const stream of storage.streams()) state.nextStream = Math.max(state.nextStream, stream + 1)
  return state
}
