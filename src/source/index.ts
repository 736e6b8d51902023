/** Where records come from: the contracts of a source, and the parts most sources are built from. Imports core only. */
export { ByteBudget, type ByteLease } from './byte-budget.ts'
export { FetchingSourceReader, type FetchingSourceReaderOptions } from './fetching-source-reader.ts'
export { rateLimited } from './rate-limited-source.ts'
export {
  endOfReader,
  nothingToRead,
  type OpenSource,
  openSource,
  type PollResult,
  type Source,
  type SourceContext,
  type SourceParts,
  type SourceReader,
  type SourceReaderContext,
  type Split,
  type SplitEnumerator,
  type SplitEnumeratorContext,
} from './source.ts'
export { dealSplits, SplitAssignmentTracker } from './split-assignment.ts'
export {
  type Fetched,
  type FetchedDeadLetter,
  fetchedRecords,
  type RecordList,
  type SplitReader,
} from './split-reader.ts'
export { type EventTimeOptions, type SplitEventTime, SplitWatermarks } from './split-watermarks.ts'
