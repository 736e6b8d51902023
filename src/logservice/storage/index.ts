/** The durable storage of the log service: streams of groups and a journal of facts in one directory. */
export {
  type Entry,
  type FactEntry,
  type GroupEntry,
  type LogStorage,
  type ReadLimits,
  type Recovered,
  type StorageOptions,
  type StoredGroup,
  type StreamId,
  streamId,
} from './log-storage.ts'
export { openStorage } from './recovery.ts'
export { type SalvageOptions, type SalvageReport, salvage } from './salvage.ts'
