import {
  type BlockCodec,
  type BlockCodecName,
  type Compression,
  type HttpRequest,
  isMillraceError,
} from '../core/index.ts'
import {
  appendTags,
  checkLogGroup,
  compressionName,
  decodeLogPackageList,
  decompress,
  encodeLogGroup,
} from '../wire/index.ts'
import { decodeJson } from './facts.ts'
import { logGroupOfJson } from './json-logs.ts'
import { Refusal } from './refusal.ts'

/** A log group as it will be stored. */
export interface PutGroup {
  /** A raw LZ4 block. */
  readonly block: Uint8Array
  /** Bytes of the log group. */
  readonly rawBytes: number
}

export interface PutRules {
  readonly bytesMax: number
  /** Tags to add to every group. */
  readonly tags: readonly (readonly [string, string])[]
  readonly nowSeconds: number
}

const bodyInvalid = (message: string): Refusal => new Refusal(400, 'PostBodyInvalid', message)
const uncompressError = (message: string): Refusal => new Refusal(400, 'PostBodyUncompressError', message)
const tooLarge = (most: number): Refusal =>
  new Refusal(400, 'PostBodyTooLarge', `the body is longer than ${most} bytes before or after compression`)

/** The size header of a put (SLS protocol paper, §4.2). Other calls carry it too, often wrong. */
const rawSizeOf = (request: HttpRequest, required: boolean): number => {
  const text = request.headers['x-log-bodyrawsize']
  if (text === undefined || text === '') {
    if (required) throw new Refusal(400, 'MissingBodyRawSize', 'x-log-bodyrawsize is missing')
    return request.body.length
  }
  if (!/^\d{1,12}$/.test(text)) throw new Refusal(400, 'InvalidBodyRawSize', 'x-log-bodyrawsize is not a number')
  return Number(text)
}

const codecNameOf = (request: HttpRequest): BlockCodecName | undefined => {
  try {
    return compressionName(request.headers['x-log-compresstype'])
  } catch {
    throw new Refusal(400, 'InvalidCompressType', 'x-log-compresstype is none of lz4, zstd, deflate')
  }
}

const decoded = (codec: BlockCodec | undefined, bytes: Uint8Array, rawSize: number, most: number): Uint8Array => {
  try {
    return decompress(codec, bytes, rawSize, most)
  } catch (error) {
    if (isMillraceError(error) && error.code === 'WIRE_LIMIT_EXCEEDED') throw tooLarge(most)
    throw uncompressError(`the body does not give ${rawSize} bytes when it is decompressed`)
  }
}

const checked = (group: Uint8Array): void => {
  try {
    checkLogGroup(group)
  } catch (error) {
    if (isMillraceError(error)) throw bodyInvalid('the body is not a log group in protobuf')
    throw error
  }
}

/** Reads the bodies of puts: one log group in protobuf or JSON, or a package of several. */
export class PutBodies {
  readonly #compression: Compression

  constructor(compression: Compression) {
    this.#compression = compression
  }

  /** @throws Refusal when the body is not what its headers say. */
  async read(request: HttpRequest, rules: PutRules, rawSizeRequired: boolean): Promise<PutGroup[]> {
    if (request.body.length > rules.bytesMax) throw tooLarge(rules.bytesMax)
    const rawSize = rawSizeOf(request, rawSizeRequired)
    const name = codecNameOf(request)
    if (request.headers['x-log-mode'] === 'batch_group') return this.#readPackages(request.body, name, rules)
    const lz4 = await this.#compression.blockCodec('lz4')
    const codec = name === undefined ? undefined : await this.#compression.blockCodec(name)
    const raw = decoded(codec, request.body, rawSize, rules.bytesMax)
    const type = (request.headers['content-type'] ?? '').toLowerCase()
    if (type.startsWith('application/json') || (!rawSizeRequired && type.startsWith('text/plain'))) {
      return [this.#stored(lz4, readJson(raw, rules.nowSeconds), rules, undefined)]
    }
    if (type !== '' && !type.startsWith('application/x-protobuf'))
      throw new Refusal(
        415,
        'InvalidContentType',
        'content-type is neither application/x-protobuf nor application/json',
      )
    checked(raw)
    return [this.#stored(lz4, raw, rules, name === 'lz4' ? request.body : undefined)]
  }

  #stored(lz4: BlockCodec, group: Uint8Array, rules: PutRules, block: Uint8Array | undefined): PutGroup {
    if (rules.tags.length > 0) {
      const tagged = appendTags(group, rules.tags)
      return { block: lz4.compress(tagged), rawBytes: tagged.length }
    }
    return { block: block ?? lz4.compress(group), rawBytes: group.length }
  }

  /** The outer body is never compressed, whatever the header says (SLS protocol paper, §4.6). */
  async #readPackages(body: Uint8Array, named: BlockCodecName | undefined, rules: PutRules): Promise<PutGroup[]> {
    const lz4 = await this.#compression.blockCodec('lz4')
    const groups: PutGroup[] = []
    let left = rules.bytesMax
    for (const { data, rawSize, compression = named ?? 'none' } of readPackageList(body)) {
      const codec = compression === 'none' ? undefined : await this.#compression.blockCodec(compression)
      const raw = decoded(codec, data, rawSize ?? data.length, left)
      left -= raw.length
      checked(raw)
      groups.push(this.#stored(lz4, raw, rules, compression === 'lz4' ? data : undefined))
    }
    return groups
  }
}

const readJson = (bytes: Uint8Array, nowSeconds: number): Uint8Array => {
  let value: unknown
  try {
    value = decodeJson(bytes)
  } catch {
    throw bodyInvalid('the body is not JSON in UTF-8')
  }
  const init = logGroupOfJson(value, nowSeconds)
  try {
    return encodeLogGroup(init)
  } catch (error) {
    if (isMillraceError(error)) throw bodyInvalid('the JSON body cannot be stored as a log group')
    throw error
  }
}

const readPackageList = (body: Uint8Array): ReturnType<typeof decodeLogPackageList> => {
  try {
    return decodeLogPackageList(body)
  } catch (error) {
    if (isMillraceError(error)) throw bodyInvalid('the body is not a list of log packages in protobuf')
    throw error
  }
}
