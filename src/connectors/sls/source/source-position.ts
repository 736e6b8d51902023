/** Where to begin in a shard. `time`: at the first LogGroup the service received at that time or later. */
export type SlsPosition = 'earliest' | 'latest' | { readonly time: number | string | Date }

/**
 * Where to begin. It is for the shards there are at the first start; a shard found later is read from its beginning.
 *
 * - a position for all shards;
 * - `group`: where a consumer group is, and `orElse` for shards that it has no progress of. `group` defaults to the
 *   source's own `consumerGroup`, `orElse` to `earliest`;
 * - `cursors`: by shard id, as the service writes them; `orElse`, by default `earliest`, for the others.
 */
export type SlsStart =
  | SlsPosition
  | { readonly group: string | true; readonly orElse?: SlsPosition | undefined }
  | { readonly cursors: Readonly<Record<number, string>>; readonly orElse?: SlsPosition | undefined }

/**
 * Where to end; the job then finishes.
 *
 * - `now`: with what is there at the first start;
 * - `time`: before the first LogGroup the service receives at that time or later, which may be in the future;
 * - `cursors`: by shard id, the first LogGroup not to read. The other shards end with what is there at the first start.
 */
export type SlsEnd =
  | 'now'
  | { readonly time: number | string | Date }
  | { readonly cursors: Readonly<Record<number, string>> }

/** A position, resolved: the time in milliseconds since 1970. */
export type PositionSetting = 'earliest' | 'latest' | { readonly timeMs: number }

export type StartSetting =
  | { readonly kind: 'position'; readonly position: PositionSetting }
  | { readonly kind: 'group'; readonly group: string; readonly orElse: PositionSetting }
  | { readonly kind: 'cursors'; readonly cursors: ReadonlyMap<number, bigint>; readonly orElse: PositionSetting }

export type EndSetting =
  | { readonly kind: 'now' }
  | { readonly kind: 'time'; readonly timeMs: number }
  | { readonly kind: 'cursors'; readonly cursors: ReadonlyMap<number, bigint> }

/** An end in words: the same for the same end. Null for none. */
export const endText = (end: EndSetting | null): string | null => {
  if (end === null) return null
  if (end.kind === 'now') return 'now'
  if (end.kind === 'time') return `time ${end.timeMs}`
  return ['cursors', ...[...end.cursors].sort(([a], [b]) => a - b).map(([id, cursor]) => `${id}:${cursor}`)].join(' ')
}
