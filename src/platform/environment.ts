import { type Environment, type Logger, silentLogger } from '../core/index.ts'
import { crashAt, crashAtVariable, parseCrashPoint } from './crash-points.ts'
import { nodeClock } from './node-clock.ts'
import { nodeCompression } from './node-compression.ts'
import { nodeDigest } from './node-digest.ts'
import { nodeFileSystem } from './node-file-system.ts'
import { nodeRandom } from './node-random.ts'

export interface NodeEnvironmentOptions {
  /** Default: says nothing. */
  readonly log?: Logger | undefined
}

/**
 * The machine, as a job sees it. When the variable `MILLRACE_CRASH_AT` is set, the process kills itself at the file
 * operation it names (see `parseCrashPoint`): crash tests of real processes need no code of their own.
 * @throws OptionsError `OPTIONS_INVALID` when that variable does not name a crash point.
 */
export const nodeEnvironment = (options: NodeEnvironmentOptions = {}): Environment => {
  const crashPoint = process.env[crashAtVariable]
  return {
    clock: nodeClock,
    random: nodeRandom,
    fs: nodeFileSystem({ onOperation: crashPoint ? crashAt(parseCrashPoint(crashPoint)) : undefined }),
    digest: nodeDigest,
    compression: nodeCompression,
    log: options.log ?? silentLogger,
  }
}
