/** What a reader tells the enumerator. */
export type FileReaderEvent =
  /** The file of a split was found and opened: where, and what its id is now. */
  | { readonly kind: 'opened'; readonly splitId: string; readonly path: string; readonly fileId: string }
  /** The split is read to its end, or given up because its file is gone. */
  | { readonly kind: 'finished'; readonly splitId: string }
  | { readonly kind: 'skipped'; readonly splitId: string }

/** What the enumerator tells the owner of a split: the file has another name now, or none that is watched. */
export interface FilePlaceEvent {
  readonly kind: 'place'
  readonly splitId: string
  readonly path: string | null
}

export const isFileReaderEvent = (event: unknown): event is FileReaderEvent =>
  isTagged(event) && (event.kind === 'opened' || event.kind === 'finished' || event.kind === 'skipped')

export const isFilePlaceEvent = (event: unknown): event is FilePlaceEvent => isTagged(event) && event.kind === 'place'

const isTagged = (event: unknown): event is { readonly kind: unknown; readonly splitId: string } =>
  typeof event === 'object' &&
  event !== null &&
  'kind' in event &&
  'splitId' in event &&
  typeof event.splitId === 'string'
