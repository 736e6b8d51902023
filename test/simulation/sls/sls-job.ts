import type { Job } from '../../../src/job/index.ts'
import type { MemoryBudget } from '../../../src/sink/index.ts'
import type { ByteBudget } from '../../../src/source/index.ts'
import type { SimNetwork, SimProcess } from '../../../src/testing/index.ts'
import type { Life, MetricSum, Stage } from '../play.ts'
import type { SimQuery } from './reading.ts'
import type { PlacedRecord } from './shard-truth.ts'
import type { SimLogService } from './sim-log-service.ts'
import type { SlsConfig } from './sls-config.ts'
import type { StoredLogGroup } from './stored-group.ts'

/** What a process of the job holds, to be given back in the end. */
export interface Budgets {
  readonly process: SimProcess
  readonly pulls: ByteBudget
  readonly packages: MemoryBudget
}

export interface SlsJobParts {
  readonly config: SlsConfig
  readonly stage: Stage
  readonly network: SimNetwork
  /** Of the process that is started, the query it is started with. */
  readonly query: SimQuery | undefined
  readonly service: () => SimLogService
}

/** A job over the SLS source, and what is known of its targets. */
export interface SlsJob {
  /** Logstores it writes, with their numbers of shards. */
  readonly targets: Readonly<Record<string, number>>
  /** The source has a group to give. */
  readonly given?: ((group: StoredLogGroup) => void) | undefined
  /** A group is in a target for good. */
  readonly stored: (target: string, group: StoredLogGroup) => void
  readonly compose: (life: Life, query: SimQuery | undefined, budgets: Budgets) => Job
  /** What of these records is not in the targets; undefined when all is. */
  readonly missing: (records: readonly PlacedRecord[]) => string | undefined
  /** S13, of a process. */
  readonly balance: (sum: MetricSum, process: SimProcess) => readonly (readonly [string, number])[]
  readonly heal?: (() => void) | undefined
  readonly progress: () => string
  readonly counters: () => Readonly<Record<string, number>>
}
