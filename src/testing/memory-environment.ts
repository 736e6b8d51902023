import { type Environment, type Logger, silentLogger } from '../core/index.ts'
import { cryptoDigest } from './crypto-digest.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimDisk } from './simulation/sim-disk.ts'
import { type IoGateway, simFileSystem } from './simulation/sim-file-system.ts'
import { syncCompression } from './sync-compression.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface MemoryEnvironmentOptions {
  /** Seed of `random`. Default 1. */
  readonly seed?: number | undefined
  /** Default: says nothing. */
  readonly log?: Logger | undefined
  /** A disk to share between environments, e.g. before and after a restart. Default: a new, empty one. */
  readonly disk?: SimDisk | undefined
}

export interface MemoryEnvironment extends Environment {
  /** Time stands still until it is advanced. */
  readonly clock: VirtualClock
  readonly random: SeededRandom
  /** What `fs` writes to: to look at, and to lose power. */
  readonly disk: SimDisk
}

const withoutDelay: IoGateway = {
  async perform(_site, effect) {
    // Never inside the caller's call: no real file system is that fast.
    await undefined
    return effect(undefined)
  },
  opened() {},
  closed() {},
}

/** An environment for unit tests: files in memory that answer without delay or fault, and time that moves when told. */
export const memoryEnvironment = (options: MemoryEnvironmentOptions = {}): MemoryEnvironment => {
  const clock = new VirtualClock()
  const disk = options.disk ?? new SimDisk({ wallMs: () => clock.wallMs() })
  return {
    clock,
    random: new SeededRandom(options.seed ?? 1),
    fs: simFileSystem(disk, withoutDelay),
    disk,
    digest: cryptoDigest,
    compression: syncCompression,
    log: options.log ?? silentLogger,
  }
}
