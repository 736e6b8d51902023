import { OptionsError } from '../../../core/index.ts'

/** Names as the service has them (SLS protocol paper, section 1.1). They need no escape in a path. */
export const isProjectName = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-zA-Z](?:[0-9a-zA-Z_-]{0,126}[0-9a-zA-Z])?$/.test(value)

export const isLogstoreName = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-z][0-9a-z_-]{0,78}[0-9a-z]$/.test(value)

export const isConsumerGroupName = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-zA-Z_-]{1,128}$/.test(value)

const refuse = (what: string, name: unknown, allowed: string): OptionsError =>
  new OptionsError('OPTIONS_INVALID', {
    message: `${JSON.stringify(String(name).slice(0, 60))} is no name of a ${what}; it has ${allowed}`,
  })

/** @throws OptionsError for a name that no logstore can have. */
export const logstorePath = (logstore: string): string => {
  if (!isLogstoreName(logstore)) throw refuse('logstore', logstore, '2 to 80 of a-z, 0-9, - and _')
  return `/logstores/${logstore}`
}

/** @throws OptionsError for a name that no logstore, or an id that no shard can have. */
export const shardPath = (logstore: string, shard: number): string => {
  if (!Number.isInteger(shard) || shard < 0 || shard > 0x7fff_ffff)
    throw refuse('shard', shard, 'an id from 0 to 2^31-1')
  return `${logstorePath(logstore)}/shards/${shard}`
}

/** @throws OptionsError for a name that no logstore or consumer group can have. */
export const groupPath = (logstore: string, group: string): string => {
  if (!isConsumerGroupName(group)) throw refuse('consumer group', group, '1 to 128 of a-z, A-Z, 0-9, - and _')
  return `${logstorePath(logstore)}/consumergroups/${group}`
}
