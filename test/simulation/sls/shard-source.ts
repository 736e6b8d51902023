import { fileSink } from '../../../src/connectors/files/index.ts'
import { type SlsRecord, type SlsSource, slsSourceOf } from '../../../src/connectors/sls/index.ts'
import type { DeadLetter } from '../../../src/core/index.ts'
import type { ByteBudget } from '../../../src/source/index.ts'
import type { SimNetwork } from '../../../src/testing/index.ts'
import type { Life } from '../play.ts'
import { lineOfLetter, type SimQuery } from './reading.ts'
import { connection } from './sim-log-service.ts'
import type { SlsConfig } from './sls-config.ts'

/** The source of the logstore `access` in one process. */
export const shardSource = <const Records extends 'logs' | 'groups'>(
  records: Records,
  config: SlsConfig,
  network: SimNetwork,
  { life, pulls, query }: { readonly life: Life; readonly pulls: ByteBudget; readonly query: SimQuery | undefined },
): SlsSource<SlsRecord<Records>, boolean> =>
  slsSourceOf<Records, 'skip' | 'dead-letter'>(
    {
      ...connection,
      logstore: 'access',
      records,
      query: query?.text,
      retry: { attempts: 3, initial: 20, max: 500 },
      discoveryInterval: config.discoveryMs,
      tailWait: config.tailMs,
      idleWait: Math.max(400, config.tailMs),
      pullGroupsMax: config.pullGroups,
      pullBytes: 1 << 16,
      dropResentPackages: config.dropsCopies ? 1000 : 0,
      onDataLoss: config.retentionMs === 0 ? 'fail' : 'earliest',
      onInvalid: config.deadLetters ? 'dead-letter' : 'skip',
      consumerGroup: config.mirrors ? 'watchers' : undefined,
    },
    () => ({ transport: network.transport(life.process), budget: pulls }),
  )

/** Options of every job over this source. */
export const jobOptions = (life: Life) =>
  ({ ...life.options, guarantee: 'at-least-once', checkpoint: life.checkpoint, deadLetter: letters }) as const

/** A letter for each LogGroup that cannot be read: where it lies. */
const letters = fileSink<DeadLetter>({
  dir: 'out/dead',
  format: {
    extension: 'txt',
    encode: ({ split = '', position = '' }, append) => {
      const shard = Number(/\/(\d+)@\d+$/.exec(split)?.[1])
      append(`${lineOfLetter({ shard, cursor: position })}\n`)
    },
  },
})
