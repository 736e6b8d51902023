const segmentBytesMax = 255
const pathBytesMax = 1024
const encoder = new TextEncoder()
const control = /\p{Cc}/u

/**
 * Why a partition cannot be a directory below the sink's, as the end of the sentence "the partition …"; undefined when
 * it can. `isPartName` tells the names that the sink keeps for its parts.
 */
export const partitionProblem = (value: unknown, isPartName: (name: string) => boolean): string | undefined => {
  if (typeof value !== 'string') return `is not a string but ${value === null ? 'null' : `of type ${typeof value}`}`
  if (value === '') return 'is empty'
  if (value.startsWith('/')) return 'is an absolute path'
  if (value.includes('\\')) return 'has a backslash'
  if (control.test(value)) return 'has a control character'
  if (encoder.encode(value).length > pathBytesMax) return `is longer than ${pathBytesMax} bytes`
  for (const segment of value.split('/')) {
    if (segment === '') return 'has an empty segment'
    if (segment === '..') return "has a segment '..', which leads out of the directory"
    if (segment === '.') return "has a segment '.'"
    if (segment.startsWith('.')) return `has a hidden segment '${segment}'`
    if (encoder.encode(segment).length > segmentBytesMax) return `has a segment longer than ${segmentBytesMax} bytes`
    if (isPartName(segment)) return `has a segment '${segment}', which is the name of a part`
  }
  return undefined
}
