import type { Logger } from './log.ts'
import type { Clock, Compression, Digest, FileSystem, Random } from './ports.ts'

/**
 * Everything of the outside a job may touch, handed to the connectors when the job opens. Each part of the library takes
 * the two or three members it uses.
 */
export interface Environment {
  readonly clock: Clock
  readonly random: Random
  readonly fs: FileSystem
  readonly digest: Digest
  readonly compression: Compression
  readonly log: Logger
}
