import type { LogGroupView } from '../../../src/wire/index.ts'
import type { PlainGroup } from './reference.ts'

/** Everything a view says, as plain data. */
export const plainOfView = (group: LogGroupView): PlainGroup => ({
  topic: group.topic,
  source: group.source,
  machineUuid: group.machineUuid,
  tags: group.tags,
  logs: [...group.logs()].map((log) => ({ time: log.time, timeNs: log.timeNs, entries: log.entries() })),
})
