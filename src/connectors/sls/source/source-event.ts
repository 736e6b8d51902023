/** What a reader tells the enumerator. */
export type ShardReaderEvent =
  /** The split is read to its end, or given up because its data is gone. */
  | {
      readonly kind: 'finished'
      readonly splitId: string
      /** The last one of the split, in milliseconds since 1970, when it is known. */
      readonly watermarkMs?: number | undefined
    }
  /** The consumer group cannot be told of a checkpoint, and the options ask to fail then. */
  | { readonly kind: 'mirror-failed'; readonly error: Error }

/** What the enumerator tells the readers. */
export type ShardSourceEvent =
  /** No more data will be written to the shard. */
  | { readonly kind: 'closed'; readonly splitId: string }
  /** The shard, which the reader has, follows others; event time in them ended there. */
  | { readonly kind: 'follows'; readonly splitId: string; readonly watermarkMs: number }
  /** The consumer group is there; the name under which its progress is to be set. */
  | { readonly kind: 'mirror'; readonly consumer: string }

type AnyEvent = Readonly<Record<'kind' | 'splitId' | 'consumer' | 'error' | 'watermarkMs', unknown>>

const isTagged = (event: unknown): event is AnyEvent => typeof event === 'object' && event !== null && 'kind' in event

export const isShardReaderEvent = (event: unknown): event is ShardReaderEvent =>
  isTagged(event) &&
  ((event.kind === 'finished' && typeof event.splitId === 'string') ||
    (event.kind === 'mirror-failed' && event.error instanceof Error))

export const isShardSourceEvent = (event: unknown): event is ShardSourceEvent =>
  isTagged(event) &&
  ((event.kind === 'closed' && typeof event.splitId === 'string') ||
    (event.kind === 'follows' && typeof event.splitId === 'string' && typeof event.watermarkMs === 'number') ||
    (event.kind === 'mirror' && typeof event.consumer === 'string'))
