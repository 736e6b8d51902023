import { type Digest, type FileSystem, joinPath, readWhole } from '../../core/index.ts'
import type { FoundSegment } from './replay.ts'
import { segmentName, sidecarName, snapshotName, unlessMissing } from './segment-files.ts'
import { decodeSegmentHeader, type SegmentHeader, segmentHeaderBytes, segmentVersion } from './segment-format.ts'
import { type SegmentScan, scanSegment } from './segment-scan.ts'
import { decodeSidecar } from './sidecar.ts'
import { decodeSnapshot, type SnapshotFile } from './snapshot-file.ts'
import { corrupt, newerFormat } from './storage-failures.ts'

export interface FoundFilesPorts {
  readonly fs: FileSystem
  readonly digest: Digest
  readonly directory: string
}

/** A segment, and what a start has to do about it. */
export interface ReadSegment extends FoundSegment {
  /** Everything before was durable before the process that wrote it ended. */
  readonly provenEnd: number
  /** True when its sidecar was good. */
  readonly indexed: boolean
  /** Its header as it stands in the file. */
  readonly headerBytes: Uint8Array
}

const fileBytesMax = 2 ** 31
const readsMax = 5

/**
 * The snapshot; undefined when there is none.
 * @throws StorageError `LOG_STORE_CORRUPT` when there is one that does not verify, `LOG_STORE_NEWER`.
 */
export const readSnapshot = async ({ fs, digest, directory }: FoundFilesPorts): Promise<SnapshotFile | undefined> => {
  const path = joinPath(directory, snapshotName)
  // Read more than once before it is given up: the fault may lie on the way from the disk.
  for (let reads = 0; reads < readsMax; reads++) {
    const bytes = await unlessMissing(readWhole(fs, path, fileBytesMax))
    if (bytes === undefined) return undefined
    const snapshot = decodeSnapshot(bytes, digest)
    if (typeof snapshot === 'number') throw newerFormat(path, snapshot)
    if (snapshot !== undefined) return snapshot
  }
  throw corrupt(path, 'the snapshot of the definitions does not verify', directory)
}

/** The header of a segment; undefined when the file is not there, or its header does not verify. */
export const readHeader = async (ports: FoundFilesPorts, number: number): Promise<SegmentHeader | undefined> => {
  const path = joinPath(ports.directory, segmentName(number))
  for (let reads = 0; reads < readsMax; reads++) {
    const bytes = await unlessMissing(readHead(ports.fs, path))
    if (bytes === undefined) return undefined
    const header = decodeSegmentHeader(bytes, ports.digest)
    if (header !== undefined && header.readerVersion > segmentVersion) throw newerFormat(path, header.version)
    if (header !== undefined) return header
  }
  return undefined
}

const readHead = async (fs: FileSystem, path: string): Promise<Uint8Array> => {
  const file = await fs.open(path)
  try {
    return await file.readAt(0, segmentHeaderBytes)
  } finally {
    await file.close()
  }
}

/**
 * A segment from its sidecar, or else from its bytes.
 * @param knownEnd where it is known to end; undefined for the last one
 */
export const readSegment = async (
  ports: FoundFilesPorts,
  number: number,
  knownEnd: number | undefined,
): Promise<ReadSegment> => {
  const indexed = await readSidecar(ports, number, knownEnd)
  if (indexed !== undefined) return indexed
  const { fs, digest, directory } = ports
  const path = joinPath(directory, segmentName(number))
  let seen = ''
  for (let reads = 0; reads < readsMax; reads++) {
    const image = await unlessMissing(readWhole(fs, path, fileBytesMax))
    if (image === undefined) return missing(number, knownEnd)
    const scan = scanSegment(image, digest, knownEnd)
    // What looks wrong must be the same bytes twice: a bit flipped on the way must not cost a confirmed batch.
    const signature = `${image.length} ${digest.crc32(image)}`
    if (signature === seen || isClean(scan, knownEnd ?? image.length)) {
      return { ...scan, number, indexed: false, headerBytes: image.slice(0, segmentHeaderBytes) }
    }
    seen = signature
  }
  throw corrupt(path, `${readsMax} reads in a row gave different bytes`, directory)
}

const missing = (number: number, knownEnd: number | undefined): ReadSegment => {
  const end = knownEnd ?? 0
  return {
    number,
    header: undefined,
    batches: [],
    lost: [{ from: 0, to: end }],
    end,
    provenEnd: end,
    indexed: true,
    headerBytes: new Uint8Array(segmentHeaderBytes),
  }
}

const readSidecar = async (
  { fs, digest, directory }: FoundFilesPorts,
  number: number,
  knownEnd: number | undefined,
): Promise<ReadSegment | undefined> => {
  for (let reads = 0; reads < 2; reads++) {
    const bytes = await unlessMissing(readWhole(fs, joinPath(directory, sidecarName(number)), fileBytesMax))
    if (bytes === undefined) return undefined
    const sidecar = decodeSidecar(bytes, digest)
    // It was written when all of the segment was durable: what is not there now is rot, and is found when it is read.
    if (sidecar === undefined || sidecar.header.number !== number) continue
    if (knownEnd !== undefined && sidecar.end !== knownEnd) continue
    const headerBytes = bytes.slice(32, 32 + segmentHeaderBytes)
    return { ...sidecar, number, lost: [], provenEnd: sidecar.end, indexed: true, headerBytes }
  }
  return undefined
}

const isClean = (scan: SegmentScan, length: number): boolean =>
  scan.header !== undefined &&
  scan.lost.length === 0 &&
  scan.end === length &&
  scan.batches.every(({ badBlocks }) => badBlocks.size === 0)
