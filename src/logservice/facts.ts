/**
 * What is journaled about the service beside the log groups: every change of its definitions, with all that chance and
 * time had to say in it, so that applying the same facts gives the same state.
 */

export type JsonObject = Readonly<Record<string, unknown>>

/** A shard as it was made. */
export interface ShardRecord {
  readonly id: number
  /** Its stream in the storage; never used again. */
  readonly stream: number
  readonly begin: string
  readonly end: string
  readonly createSeconds: number
  /** Cursor of its first group, a decimal of 19 digits. */
  readonly base: string
}

interface InProject {
  readonly project: string
}

interface InLogstore extends InProject {
  readonly logstore: string
}

interface InGroup extends InLogstore {
  readonly group: string
}

export type Fact =
  | (InProject & { readonly kind: 'project-created'; readonly config: JsonObject; readonly seconds: number })
  | (InProject & { readonly kind: 'project-updated'; readonly config: JsonObject; readonly seconds: number })
  | (InProject & { readonly kind: 'project-deleted'; readonly cursorFloor: string })
  | (InLogstore & {
      readonly kind: 'logstore-created'
      readonly config: JsonObject
      readonly seconds: number
      readonly shards: readonly ShardRecord[]
    })
  | (InLogstore & { readonly kind: 'logstore-updated'; readonly config: JsonObject; readonly seconds: number })
  | (InLogstore & { readonly kind: 'logstore-deleted'; readonly cursorFloor: string })
  | (InLogstore & {
      readonly kind: 'shards-replaced'
      readonly closed: readonly number[]
      readonly created: readonly ShardRecord[]
    })
  | (InLogstore & { readonly kind: 'shard-deleted'; readonly shard: number; readonly cursorFloor: string })
  | (InLogstore & { readonly kind: 'index-set'; readonly config: JsonObject; readonly seconds: number })
  | (InLogstore & { readonly kind: 'index-deleted' })
  | (InGroup & { readonly kind: 'group-created'; readonly timeoutSeconds: number; readonly order: boolean })
  | (InGroup & { readonly kind: 'group-updated'; readonly timeoutSeconds: number; readonly order: boolean })
  | (InGroup & { readonly kind: 'group-deleted' })
  | (InGroup & {
      readonly kind: 'checkpoint-committed'
      readonly shard: number
      readonly checkpoint: string
      readonly consumer: string
      readonly updateMicros: number
    })
  | { readonly kind: 'streams-dropped'; readonly streams: readonly number[] }

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export const encodeJson = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))

/** @throws SyntaxError or TypeError when the bytes are not JSON in UTF-8. */
export const decodeJson = (bytes: Uint8Array): unknown => JSON.parse(decoder.decode(bytes))
