import { type Digest, type FileSystem, joinPath, type Random, type WritableFile } from '../../core/index.ts'
import { segmentName, sidecarName, temporaryName, writeAside } from './segment-files.ts'
import {
  batchHeaderBytes,
  encodeSegmentHeader,
  newNonce,
  segmentHeaderBytes,
  segmentVersion,
  tableEntryBytes,
} from './segment-format.ts'
import { encodeSidecar } from './sidecar.ts'

export interface SegmentWriterPorts {
  readonly fs: FileSystem
  readonly digest: Digest
  readonly random: Random
  readonly directory: string
}

export interface NewSegment {
  readonly number: number
  readonly firstSequence: number
  readonly previousNumber: number
  readonly previousEnd: number
  readonly createdMs: number
  /** A batch that the new segment takes over from the end of the one before, encoded for its place in this one. */
  readonly carry?: ((nonce: number) => Uint8Array) | undefined
}

/** The segment that is written now. */
export class SegmentWriter {
  readonly number: number
  readonly nonce: number
  readonly path: string
  readonly #ports: SegmentWriterPorts
  readonly #file: WritableFile
  readonly #header: Uint8Array
  readonly #heads: Uint8Array[] = []
  #end: number

  private constructor(
    ports: SegmentWriterPorts,
    file: WritableFile,
    segment: { readonly number: number; readonly nonce: number; readonly header: Uint8Array },
  ) {
    this.#ports = ports
    this.#file = file
    this.number = segment.number
    this.nonce = segment.nonce
    this.path = joinPath(ports.directory, segmentName(segment.number))
    this.#header = segment.header
    this.#end = segmentHeaderBytes
  }

  /**
   * Makes a segment. It gets its name only when its header, and the batch it takes over, are durable; so a segment with a
   * bad header is rot, never a half-made one. The name itself is durable when the caller has synced the directory.
   */
  static async create(ports: SegmentWriterPorts, segment: NewSegment): Promise<SegmentWriter> {
    const { fs, digest, random, directory } = ports
    const nonce = newNonce(random)
    const carried = segment.carry?.(nonce)
    const { carry: _, ...fields } = segment
    const header = encodeSegmentHeader(
      {
        ...fields,
        version: segmentVersion,
        readerVersion: segmentVersion,
        nonce,
        carriedEnd: segmentHeaderBytes + (carried?.length ?? 0),
      },
      digest,
    )
    const temporary = joinPath(directory, temporaryName(segmentName(segment.number)))
    const file = await fs.create(temporary)
    try {
      await file.append(header)
      if (carried !== undefined) await file.append(carried)
      await file.sync()
      await fs.rename(temporary, joinPath(directory, segmentName(segment.number)))
    } catch (error) {
      await file.close().catch(() => {})
      await fs.unlink(temporary).catch(() => {})
      throw error
    }
    const writer = new SegmentWriter(ports, file, { number: segment.number, nonce, header })
    if (carried !== undefined) writer.confirm(carried)
    return writer
  }

  /** Where the next batch goes: behind everything that is durable. */
  get end(): number {
    return this.#end
  }

  /** False until it has a batch. */
  get used(): boolean {
    return this.#heads.length > 0
  }

  append(batch: Uint8Array): Promise<void> {
    return this.#file.append(batch)
  }

  sync(): Promise<void> {
    return this.#file.sync()
  }

  /** Takes a batch that was appended and synced into the segment. */
  confirm(batch: Uint8Array): void {
    const entries = new DataView(batch.buffer, batch.byteOffset).getUint32(32, true)
    this.#heads.push(batch.slice(0, batchHeaderBytes + entries * tableEntryBytes))
    this.#end += batch.length
  }

  /** Cuts off what a failed append left. */
  async rollBack(): Promise<void> {
    if (this.#file.size !== this.#end) await this.#file.truncate(this.#end)
  }

  /** Writes the sidecar: it says where the segment ends, and saves a start from reading it. */
  async seal(): Promise<void> {
    const { fs, digest, directory } = this.#ports
    const bytes = encodeSidecar(this.#header, this.#heads, this.#end, digest)
    await writeAside(fs, directory, sidecarName(this.number), bytes)
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => {})
  }
}
