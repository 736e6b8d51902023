import type { Line } from '../../../../src/connectors/files/index.ts'

/** A line as a test compares it. */
export interface PlainLine {
  readonly hex: string
  readonly offset: number
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The lines of some content, found the slow and obvious way: byte by byte. */
export const referenceLines = (content: Uint8Array, options: { readonly lastLine: boolean }): PlainLine[] => {
  const lines: PlainLine[] = []
  let offset = 0
  for (const [index, byte] of content.entries()) {
    if (byte !== 10) continue
    const end = index > offset && content[index - 1] === 13 ? index - 1 : index
    lines.push({ hex: hexOf(content.subarray(offset, end)), offset })
    offset = index + 1
  }
  if (options.lastLine && offset < content.length) lines.push({ hex: hexOf(content.subarray(offset)), offset })
  return lines
}

export const plainLines = (lines: readonly Line[]): PlainLine[] =>
  lines.map((line) => ({ hex: hexOf(line.bytes), offset: line.offset }))
